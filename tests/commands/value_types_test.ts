import { assertEquals, assertThrows } from "@std/assert";
import {
  choice,
  DURATION,
  hex,
  InvalidValueError,
  NAME,
  parseValue,
  RATE,
  SEED,
  SIZE,
  SWITCH,
  text,
  type ValueType,
  wholeNumber,
} from "../../commands/value_types.ts";
import { CommandError } from "../../commands/ui/hints.ts";

function accepts<T>(
  name: string,
  kind: ValueType<T>,
  cases: readonly (readonly [string, T])[],
): void {
  for (const [given, want] of cases) {
    Deno.test(`${name} accepts ${JSON.stringify(given)}`, () => {
      assertEquals(kind.parse(given), want);
    });
  }
}

function rejects<T>(name: string, kind: ValueType<T>, cases: readonly string[]): void {
  for (const given of cases) {
    Deno.test(`${name} rejects ${JSON.stringify(given)}`, () => {
      assertThrows(() => kind.parse(given), InvalidValueError);
    });
  }
}

accepts("a size", SIZE, [
  ["512", 512],
  ["1B", 1],
  ["64KiB", 65_536],
  ["10MiB", 10_485_760],
  ["1.5GB", 1_500_000_000],
  ["0.5KiB", 512],
  ["2TB", 2e12],
  ["3kB", 3000],
]);
rejects("a size", SIZE, [
  "",
  "0",
  "0KiB",
  "-1",
  "+1",
  "1.5",
  "1.5B",
  ".5KiB",
  "1.KiB",
  "1e3",
  "10 MiB",
  "10mib",
  "10M",
  "MiB",
  "Infinity",
  "0x10",
  "99999999TiB",
  "1constructor",
  "١KiB",
]);

accepts("a rate", RATE, [["500KiB", 512_000], ["none", undefined]]);
rejects("a rate", RATE, ["0", "None", "5MiB/s"]);

accepts("a duration", DURATION, [
  ["500ms", 500],
  ["5s", 5000],
  ["1.5s", 1500],
  ["2m", 120_000],
  ["1h", 3_600_000],
]);
rejects("a duration", DURATION, [
  "",
  "5",
  "0s",
  "0.1ms",
  "-5s",
  "5 s",
  "5S",
  "5d",
  "501h",
  "1h30m",
]);

accepts("a seed", SEED, [
  ["nas1", { host: "nas1", port: 7270, tls: false }],
  ["nas1:80", { host: "nas1", port: 80, tls: false }],
  ["[::1]:80", { host: "::1", port: 80, tls: false }],
  ["tls://nas1", { host: "nas1", port: 7270, tls: true }],
]);
rejects("a seed", SEED, ["", "nas1:0", "nas1:70000", "ftp://nas1", "::1", "a b"]);

accepts("a sha256", hex(64), [["AB".repeat(32), "ab".repeat(32)]]);
rejects("a sha256", hex(64), ["", "ab", "g".repeat(64), "a".repeat(65)]);
accepts("an id", hex(1), [["4E", "4e"]]);
rejects("an id", hex(1), ["", "xyz", "a".repeat(65)]);

accepts("a whole number", wholeNumber(1, 10), [["1", 1], ["10", 10]]);
rejects("a whole number", wholeNumber(1, 10), ["", "0", "11", "1.5", "1e0", " 1", "0x1", "-1"]);

accepts("a switch", SWITCH, [
  ["true", true],
  ["1", true],
  ["on", true],
  ["YES", true],
  ["True", true],
  ["false", false],
  ["0", false],
  ["off", false],
  ["No", false],
  ["FALSE", false],
]);
rejects("a switch", SWITCH, ["", "2", "o", "enable"]);

Deno.test("a switch is formatted as a value that it accepts", () => {
  assertEquals([true, false].map(SWITCH.format), ["on", "off"]);
  assertEquals(SWITCH.fromJson("off"), "off");
  assertEquals(SWITCH.fromJson(false), "off");
});

Deno.test("a pasted URL gives a hint with the command that downloads it", () => {
  for (
    const [url, hint] of [
      ["http://h:7270/model.bin", "p2p get model.bin --seed h"],
      ["https://h/a/model.bin", "p2p get a/model.bin --seed h"],
      ["http://h:7271/model.bin", "p2p get model.bin --seed h:7271"],
      ["tls://h:7271/model.bin", "p2p get model.bin --seed tls://h:7271"],
      ["http://[fd77::1]:7271/model.bin", "p2p get model.bin --seed '[fd77::1]:7271'"],
      ["http://h:7270/my%20model.bin", "p2p get 'my model.bin' --seed h"],
    ] as const
  ) {
    const error = assertThrows(() => parseValue(NAME, url, "as name"), CommandError);
    assertEquals(error.hint?.includes(hint), true, `${url}: ${error.hint}`);
  }
});

accepts("a choice", choice("a", "b"), [["b", "b"]]);
rejects("a choice", choice("a", "b"), ["", "c", "A"]);

accepts("a name", NAME, [["a/b.iso", "a/b.iso"], ["photos/", "photos/**"], [
  "**/*.jpg",
  "**/*.jpg",
]]);
rejects("a name", NAME, ["", "../a", "/a", "a//b", "a\\b", "a\x1b[2J"]);

const misnamed = [
  ["./a.txt", "a.txt"],
  ["././data//a.txt", "data/a.txt"],
  ["/a b.txt", "'a b.txt'"],
  ["./data/", "data/"],
  ["./data/*", "'data/*'"],
  ["../a.txt", undefined],
  ["./", undefined],
  [".", undefined],
  ["./a\x1b[2J", undefined],
] as const;
for (const [text, name] of misnamed) {
  Deno.test(`parseValue() of the name ${JSON.stringify(text)} suggests ${name ?? "nothing"}`, () => {
    const { hint } = assertThrows(() => parseValue(NAME, text, "as name"), CommandError);
    const wanted = `Names begin at the served folder, without "./" or "/": ${name}`;
    assertEquals(hint, name === undefined ? undefined : wanted);
  });
}

rejects("a text", text("file"), ["", "a\0b"]);

for (
  const [ms, want] of [
    [500, "500ms"],
    [5000, "5s"],
    [120_000, "2m"],
    [7_200_000, "2h"],
    [90_000, "90s"],
  ] as const
) {
  Deno.test(`DURATION.format() writes ${ms} ms as ${want}`, () => {
    assertEquals(DURATION.format(ms), want);
    assertEquals(DURATION.parse(want), ms);
  });
}
