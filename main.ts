/** Runs the command line and exits with its code. */
import { reportBug, run } from "./commands/run.ts";
import { systemEnvironment } from "./commands/system.ts";
import { startedWith, versionText } from "./commands/version.ts";
import config from "./deno.json" with { type: "json" };

if (import.meta.main) {
  const { commit, args } = startedWith(Deno.args, Deno.build.standalone);
  const runtime = { deno: Deno.version.deno, target: Deno.build.target };
  const environment = systemEnvironment(versionText(config.version, commit, runtime), Deno.exit);
  const fail = (error: unknown) => Deno.exit(reportBug(error, environment.stderr));
  // An error in a promise without a handler, or in a timer, is a bug.
  addEventListener("unhandledrejection", ({ reason }) => fail(reason));
  addEventListener("error", ({ error }) => fail(error));
  Deno.exit(await run(args, environment));
}
