/**
 * Says where the packages of deno.json come from on this machine.
 *
 * Normally that is JSR, and then this prints nothing. Where JSR is out of reach it takes
 * stand-ins from the npm registry and prints the flags that make Deno use them:
 *
 *     deno test $(deno run --cached-only -A scripts/offline/deps.ts) tests
 *
 * With the arguments "denort" and a target it prints the DENORT_BIN that `deno compile` needs for
 * that target, or nothing where `deno compile` finds its base runtime by itself.
 *
 * P2P_DEPS=jsr or P2P_DEPS=npm decides instead of the probe.
 *
 * This runs before any package is at hand, so it and all that it imports use none.
 */

import config from "../../deno.json" with { type: "json" };
import { answers, exists } from "./probe.ts";
import { denortPath } from "./denort.ts";
import type { Packages } from "./import_map.ts";
import { standIns, standInsId } from "./stand_ins.ts";
import { place, storePath, storeUrl } from "./store.ts";

const packages: Packages = config;

async function printFlags(): Promise<void> {
  const id = await standInsId(packages);
  const importMap = `${id}/import_map.json`;
  const ready = await exists(storeUrl(importMap));
  if (await jsrServes(ready)) return;
  if (!ready) {
    note("JSR is out of reach, so the packages come from the npm registry");
    await place(id, await standIns(packages));
  }
  // --no-lock: a deno.lock made with JSR knows other packages.
  console.log(`--import-map=${storePath(importMap)} --no-lock`);
}

async function printDenort(target: string = Deno.build.target): Promise<void> {
  if (Deno.env.get("DENORT_BIN")) return; // the caller's choice holds
  const path = await denortPath(target, note);
  if (path !== undefined) console.log(path);
}

/** `standInsReady`: the stand-ins lie here already, so there is no need to wait for the network. */
async function jsrServes(standInsReady: boolean): Promise<boolean> {
  const choice = Deno.env.get("P2P_DEPS") || "probe";
  if (choice === "jsr") return true;
  if (choice === "npm") return false;
  if (choice !== "probe") {
    throw new Error(
      `Cannot use P2P_DEPS "${choice}": it must be "jsr" or "npm"`,
    );
  }
  return await jsrIsCached() || (!standInsReady && await jsrIsReachable());
}

/** Needs `deno run --cached-only`: an import then fails at once instead of downloading. */
async function jsrIsCached(): Promise<boolean> {
  const specifiers = Object.values(packages.imports).filter((specifier) =>
    specifier.startsWith("jsr:")
  );
  const loaded = Promise.all(specifiers.map((specifier) => import(specifier)));
  return await loaded.then(() => true, () => false);
}

async function jsrIsReachable(): Promise<boolean> {
  const base = Deno.env.get("JSR_URL") || "https://jsr.io";
  return await answers(`${base.replace(/\/+$/, "")}/@std/path/meta.json`);
}

/** To stderr: stdout is what the calling command line takes in. */
function note(text: string): void {
  console.error(`deps: ${text}`);
}

if (import.meta.main) {
  try {
    await (Deno.args[0] === "denort" ? printDenort(Deno.args[1]) : printFlags());
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
