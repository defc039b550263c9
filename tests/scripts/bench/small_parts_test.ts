import { assertEquals, assertStringIncludes } from "@std/assert";
import { settingsOf } from "../../../scripts/bench/nginx.ts";
import { adviceFor, type FoundTools, versionIn } from "../../../scripts/bench/tools.ts";
import { warmBytesFor } from "../../../scripts/bench/workspace.ts";

const GIB = 2 ** 30;
const MIB = 2 ** 20;

const warmings = [
  { name: "twice what a small run writes", bytes: GIB / 8, available: 99 * GIB, want: GIB / 4 },
  {
    name: "a GiB more than what a large run writes",
    bytes: 3 * GIB,
    available: 99 * GIB,
    want: 4 * GIB,
  },
];
for (const { name, bytes, available, want } of warmings) {
  Deno.test(`warmBytesFor() gives ${name}, and some`, () => {
    assertEquals(warmBytesFor(bytes, available), want + 64 * MIB);
  });
}

Deno.test("warmBytesFor() never takes more than half of the memory", () => {
  assertEquals(warmBytesFor(3 * GIB, 2 * GIB), GIB);
});

const versions = [
  { text: "aria2 version 1.36.0\nCopyright (C) 2006, 2019", want: "1.36.0" },
  { text: "Axel 2.17.11 (linux-gnu)", want: "2.17.11" },
  { text: "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1", want: "7.88.1" },
  { text: "\nnginx version: nginx/1.22.1\n", want: "1.22.1" },
  { text: "", want: "unknown" },
];
for (const { text, want } of versions) {
  Deno.test(`versionIn() finds ${want}`, () => assertEquals(versionIn(text), want));
}

Deno.test("adviceFor() names what is missing, and how to get it", () => {
  const tool = { path: "/x", version: "1" };
  const some: FoundTools = new Map([["curl", tool], ["nginx", tool]]);
  const advice = adviceFor(some) ?? "";
  assertStringIncludes(advice, "aria2c, axel");
  assertStringIncludes(advice, "apt-get install aria2 axel");
});

Deno.test("adviceFor() says nothing when all is there", () => {
  const tool = { path: "/x", version: "1" };
  const all = (["aria2c", "axel", "curl", "nginx"] as const).map((name) => [name, tool] as const);
  assertEquals(adviceFor(new Map(all)), undefined);
});

Deno.test("settingsOf() keeps all that nginx writes below its folder, and names a user to root alone", () => {
  const settings = settingsOf("/files", "/own", ["127.0.0.1:1", "127.0.0.1:2"], false);
  for (const line of settings.split("\n").filter((line) => /pid|_path/.test(line))) {
    assertStringIncludes(line, '"/own/');
  }
  assertEquals(settings.match(/listen .*/g), ["listen 127.0.0.1:1;", "listen 127.0.0.1:2;"]);
  assertEquals(settings.includes("user "), false);
  assertStringIncludes(settingsOf("/files", "/own", ["127.0.0.1:1"], true), "user root;");
});
