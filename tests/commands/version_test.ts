import { assertEquals } from "@std/assert";
import { BUILT_FROM, startedWith, versionText } from "../../commands/version.ts";

const starts = [
  {
    name: "the commit apart from the arguments of the user",
    args: [`${BUILT_FROM}0123456789ab`, "get", "a"],
    compiled: true,
    want: { commit: "0123456789ab", args: ["get", "a"] },
  },
  {
    name: "only the first when the user says the same",
    args: [`${BUILT_FROM}0123456789ab`, `${BUILT_FROM}x`],
    compiled: true,
    want: { commit: "0123456789ab", args: [`${BUILT_FROM}x`] },
  },
  {
    name: "no commit when the build knew none",
    args: ["get", "a"],
    compiled: true,
    want: { commit: undefined, args: ["get", "a"] },
  },
  {
    name: "no commit when nothing was compiled, whatever the user says",
    args: [`${BUILT_FROM}x`],
    compiled: false,
    want: { commit: undefined, args: [`${BUILT_FROM}x`] },
  },
  {
    name: "nothing without arguments",
    args: [],
    compiled: true,
    want: { commit: undefined, args: [] },
  },
];
for (const { name, args, compiled, want } of starts) {
  Deno.test(`startedWith() returns ${name}`, () => {
    assertEquals(startedWith(args, compiled), want);
  });
}

const RUNTIME = { deno: "2.7.11", target: "x86_64-unknown-linux-gnu" };

Deno.test("versionText() has version, commit, Deno and platform", () => {
  assertEquals(
    versionText("0.1.0", "0123456789ab", RUNTIME),
    "0.1.0 (commit 0123456789ab, Deno 2.7.11, x86_64-unknown-linux-gnu)",
  );
});

Deno.test("versionText() has no commit if there is none", () => {
  assertEquals(
    versionText("0.1.0", undefined, RUNTIME),
    "0.1.0 (Deno 2.7.11, x86_64-unknown-linux-gnu)",
  );
});
