/** `p2p get` of links, `--header`, and `p2p manifest`. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  type DownloadJob,
  formatSourceAddress,
  type P2pError,
  resolveLink,
  UsageError,
} from "../../core/mod.ts";
import { run } from "../../commands/run.ts";
import { doneOutcome, fakeEnvironment } from "./fake_environment.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ID = "3e43403d73f45ea23adb8bdd94a93e0a";

async function p2p(words: readonly string[], env: Record<string, string> = {}) {
  const jobs: DownloadJob[] = [];
  const asked: (readonly string[])[] = [];
  const environment = fakeEnvironment({
    env,
    core: {
      resolveNames(names) {
        asked.push(names);
        return Promise.resolve(names.map((name) => ({ name })));
      },
      resolveLink,
      writeManifest(path, urls) {
        if (path === "bad") return Promise.reject(new UsageError("Cannot use it") as P2pError);
        const written = {
          file: path,
          path: `${path}.p2p`,
          name: path,
          size: 6,
          id: "1",
          sha256: "2",
          urls,
        };
        return Promise.resolve(written);
      },
      download(job) {
        jobs.push(job);
        return Promise.resolve([doneOutcome("a")]);
      },
    },
  });
  const code = await run(words, environment);
  const seeds = jobs[0]?.requests.map(({ seeds }) => seeds?.map(formatSourceAddress));
  const { stdout, stderr } = environment;
  return { code, job: jobs[0], seeds, asked, stdout: stdout.text, stderr: stderr.text };
}

const WEB = "https://a.example/x.iso";
const sources: readonly (readonly [string, Record<string, string>, readonly string[]])[] = [
  [`get ${WEB}`, {}, [WEB]],
  // A configured seed may have another file of that name …
  [`get ${WEB} --seed nas1`, {}, [WEB, "nas1:7270"]],
  [`get ${WEB}`, { P2P_SEEDS: "nas1" }, [WEB, "nas1:7270"]],
  [`get http://nas1:7270/x.iso#id=${ID}`, {}, ["nas1:7270"]],
  [`get http://nas1:7270/x.iso#id=${ID} --seed nas2`, {}, ["nas1:7270", "nas2:7270"]],
  [`get p2p://nas1,nas2/x.iso`, {}, ["nas1:7270", "nas2:7270"]],
];
for (const [line, env, seeds] of sources) {
  Deno.test(`${line} asks ${seeds.join(", ")}, with ${JSON.stringify(env)}`, async () => {
    const result = await p2p(line.split(" "), env);
    assertEquals([result.code, result.seeds, result.asked], [0, [seeds], []]);
  });
}

Deno.test("get takes names and links together, and pins what a link pins", async () => {
  const { job, asked } = await p2p(["get", "a", `http://nas1:7270/dir/b#id=${ID}`, "--seed", "x"]);
  assertEquals(asked, [["a"]]);
  assertEquals(job?.requests.map(({ name, id }) => [name, id]), [["a", undefined], ["dir/b", ID]]);
});

const wrong = [
  ["get https://a.example/", "it names a folder"],
  ["get https://a.example/x#id=1", "its id must be"],
  [`get ${WEB} https://b.example/x.iso`, "two names lead to one file"],
  ["get a --header X:y", "no web server is named"],
  [`get ${WEB} https://b.example/y --header X:y`, "more than one web server"],
  [`get ${WEB} --header nonsense`, '"Name: value"'],
  [`get ${WEB} --header Range:bytes=0-1`, '"Name: value"'],
  ["get ftp://a.example/x", "a path below the served folder"],
] as const;
for (const [line, text] of wrong) {
  Deno.test(`${line} is a wrong usage`, async () => {
    const { code, stderr, job } = await p2p(line.split(" "));
    assertEquals([code, job], [2, undefined]);
    assertStringIncludes(stderr, text);
  });
}

Deno.test("get gives the fields of --header to the one server that is named", async () => {
  const { job, stderr } = await p2p([
    "get",
    "https://a.example:8443/x",
    "--header",
    "Authorization: Bearer secret, and more",
    "--header=X-Other: 1",
  ]);
  assertEquals(job?.settings.httpHeaders, {
    "https://a.example:8443": { authorization: "Bearer secret, and more", "x-other": "1" },
  });
  assert(!stderr.includes("secret"));
});

Deno.test("manifest prints the files that it writes", async () => {
  const { code, stdout } = await p2p(["manifest", "a", "b", "--url", "https://a.example/"]);
  assertEquals([code, stdout], [0, "a.p2p\nb.p2p\n"]);
  const json = await p2p(["manifest", "a", "--json", "--url", "https://a.example/"]);
  assertEquals(JSON.parse(json.stdout).files[0].urls, ["https://a.example/"]);
  assertEquals((await p2p(["manifest", "bad"])).code, 2);
  assertEquals((await p2p(["manifest"])).code, 2);
});

Deno.test("get reads a manifest file where its path says so, and takes any other for a name", async () => {
  using folder = new TempFolder();
  const path = folder.write("x.p2p", "{}");
  const { code, stderr } = await p2p(["get", path]);
  assertEquals(code, 5);
  assertStringIncludes(stderr, "x.p2p");
  assertEquals((await p2p(["get", "x.p2p"])).asked, [["x.p2p"]]);
});
