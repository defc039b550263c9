import { assertEquals, assertStringIncludes } from "@std/assert";
import { renderVerification, renderVerifyFault } from "../../commands/ui/verify.ts";

const differs = {
  kind: "differs",
  size: 1,
  seedSize: 1,
  id: "ab",
  seeds: ["nas1"],
  pieces: 1,
  wrong: [],
} as const;

const cases: readonly [path: string, name: string, out: string][] = [
  ["a.bin", "a.bin", ""],
  ["./data/a.bin", "data/a.bin", ""],
  ["here/a.bin", "a.bin", " --out here"],
  ["/tmp/x y/data/a.bin", "data/a.bin", " --out '/tmp/x y'"],
  ["../a.bin", "a.bin", " --out .."],
  ["/a.bin", "a.bin", " --out /"],
  ["a~12345678.bin", "a.bin", ""],
  ["ba.bin", "a.bin", ""],
];
for (const [path, name, out] of cases) {
  Deno.test(`verify suggests the command that downloads ${path} again in place`, () => {
    assertEquals(renderVerifyFault({ path, name, verdict: differs }), [
      `hint: p2p get ${name}${out} --on-conflict overwrite downloads it again`,
    ]);
  });
}

const lengths = [[2, "1 byte too long; the rest matches"], [
  0,
  "1 byte too short; the rest",
]] as const;
for (const [size, want] of lengths) {
  Deno.test(`verify of ${size} bytes instead of 1 says "${want}"`, () => {
    const verdict = { ...differs, size };
    assertStringIncludes(renderVerification({ path: "a", name: "a", verdict })[0]!, want);
  });
}
