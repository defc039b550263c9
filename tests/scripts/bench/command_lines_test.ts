import { assertEquals } from "@std/assert";
import {
  aria2c,
  aria2cList,
  curlList,
  curlMany,
  p2pGet,
} from "../../../scripts/bench/command_lines.ts";

const FILES = [{ name: "a", size: 1, sha256: "aa" }, { name: "b", size: 2, sha256: "bb" }];
const ONE = { file: FILES[0]!, urls: ["http://h/a"], out: "/o" };

Deno.test("aria2c() takes one connection and no digest unless reported otherwise", () => {
  const command = aria2c(ONE, { verify: false });
  assertEquals(command.slice(-7), ["-x1", "-s1", "-d", "/o", "-o", "a", "http://h/a"]);
});

Deno.test("aria2c() splits over all mirrors, and verifies when reported to", () => {
  const command = aria2c({ ...ONE, urls: ["http://h/a", "http://i/a"] }, { verify: true });
  const split = ["-x1", "-s2", "-k1M", "--checksum=sha-256=aa"];
  const rest = ["-d", "/o", "-o", "a", "http://h/a", "http://i/a"];
  assertEquals(command.slice(-10), [...split, ...rest]);
});

Deno.test("aria2c() takes several connections to one place in ranges", () => {
  const command = aria2c(ONE, { verify: false, connections: 16 });
  assertEquals(command.slice(-8, -5), ["-x16", "-s16", "-k1M"]);
});

Deno.test("curlMany() leaves the number of downloads to curl unless it is given", () => {
  const command = curlMany({ list: "/l", out: "/o", atOnce: undefined });
  assertEquals(command.slice(-5), ["--parallel", "--output-dir", "/o", "-K", "/l"]);
  assertEquals(curlMany({ list: "/l", out: "/o", atOnce: 3 }).includes("--parallel-max"), true);
});

Deno.test("aria2cList() gives each URL its name, and its digest when it is to be verified", () => {
  assertEquals(
    aria2cList(FILES, "http://h", { verify: false }),
    "http://h/a\n  out=a\nhttp://h/b\n  out=b\n",
  );
  assertEquals(
    aria2cList(FILES.slice(1), "http://h", { verify: true }),
    "http://h/b\n  out=b\n  checksum=sha-256=bb\n",
  );
});

Deno.test("curlList() gives each URL its name", () => {
  assertEquals(curlList(FILES.slice(1), "http://h"), 'url = "http://h/b"\noutput = "b"\n');
});

Deno.test("p2pGet() asks all seeds, for everything unless names are given", () => {
  const options = { program: "p2p", seeds: ["h:1", "h:2"], out: "/o", sync: "never" } as const;
  const command = p2pGet(options);
  assertEquals(command.slice(-5), ["--seed", "h:1", "--seed", "h:2", "--all"]);
  assertEquals(p2pGet({ ...options, names: ["a", "b"] }).slice(-2), ["a", "b"]);
});
