import { assertEquals, assertThrows } from "@std/assert";
import { CommandError } from "../../commands/ui/hints.ts";
import { configSource, withEntry } from "../../commands/config_file.ts";
import { environmentSource, flagSource, resolveSettings } from "../../commands/load_settings.ts";
import { SETTING_NAMES, variableOf } from "../../commands/settings.ts";

function resolve(
  { flags = {}, env = {}, config }: {
    flags?: Record<string, unknown>;
    env?: Record<string, string>;
    config?: unknown;
  },
) {
  const text = config === undefined ? undefined : JSON.stringify(config);
  return resolveSettings([
    flagSource(flags),
    environmentSource((name) => env[name]),
    configSource(text, "/c/config.json"),
  ]);
}

const precedence = [
  { name: "nothing", given: {}, max: 3, origin: "default" },
  { name: "the file", given: { config: { max: 4 } }, max: 4, origin: '"max" in /c/config.json' },
  {
    name: "environment and file",
    given: { config: { max: 4 }, env: { P2P_MAX: "5" } },
    max: 5,
    origin: "P2P_MAX",
  },
  {
    name: "flag, environment and file",
    given: { config: { max: 4 }, env: { P2P_MAX: "5" }, flags: { max: "6" } },
    max: 6,
    origin: "--max",
  },
  {
    name: "an empty variable and the file",
    given: { config: { max: 4 }, env: { P2P_MAX: "" } },
    max: 4,
    origin: '"max" in /c/config.json',
  },
];
for (const { name, given, max, origin } of precedence) {
  Deno.test(`resolveSettings() takes max from ${origin} when given ${name}`, () => {
    const { values, origins } = resolve(given);
    assertEquals(values.max, max);
    assertEquals(origins.max, origin);
  });
}

Deno.test("resolveSettings() defaults to the seed on this computer", () => {
  assertEquals(resolve({}).values.seeds, [{ host: "127.0.0.1", port: 7270, tls: false }]);
});

Deno.test("resolveSettings() reads seeds from flags, a variable with commas, and an array", () => {
  const hosts = (given: Parameters<typeof resolve>[0]) =>
    resolve(given).values.seeds.map((seed) => "host" in seed ? seed.host : seed.url);
  assertEquals(hosts({ flags: { seed: ["a", "b:1"] } }), ["a", "b"]);
  assertEquals(hosts({ env: { P2P_SEEDS: "a, b" } }), ["a", "b"]);
  assertEquals(hosts({ config: { seeds: ["a", "b"] } }), ["a", "b"]);
  assertEquals(hosts({ config: { seeds: [] } }), ["127.0.0.1"]);
});

Deno.test("resolveSettings() lets a flag lift the limit of config.json", () => {
  assertEquals(resolve({ config: { limit: "1MiB" } }).values.limit, 1_048_576);
  const both = { config: { limit: "1MiB" }, flags: { limit: "none" } };
  assertEquals(resolve(both).values.limit, undefined);
});

Deno.test("resolveSettings() takes every setting from its variable", () => {
  assertEquals(variableOf("seed-connections"), "P2P_SEED_CONNECTIONS");
  const asked = new Set<string>();
  resolveSettings([environmentSource((name) => {
    asked.add(name);
    return undefined;
  })]);
  assertEquals([...asked], SETTING_NAMES.map(variableOf));
});

const faults = [
  {
    given: { env: { P2P_MAX: "0" } },
    message: 'Cannot use "0" from P2P_MAX: it must be a whole number from 1 to 1000',
  },
  {
    given: { flags: { stall: "5" } },
    message:
      'Cannot use "5" from --stall: it must be a duration up to 500h such as "500ms", "5s", "2m" or "1h"',
  },
  {
    given: { flags: { seed: ["a", "b:0"] } },
    message:
      'Cannot use "a,b:0" from --seed: it must be host, host:port, [v6]:port, tls://host:port, https://host/folder/ or s3://bucket/',
  },
  {
    given: { config: { sync: "always" } },
    message:
      'Cannot use "always" from "sync" in /c/config.json, line 1: it must be one of finish, never',
  },
  {
    given: { config: { max: "4" } },
    message:
      'Cannot use "4" from "max" in /c/config.json, line 1: it must be a whole number from 1 to 1000',
  },
  {
    given: { config: { seeds: "nas1" } },
    message:
      'Cannot use "nas1" from "seeds" in /c/config.json, line 1: it must be host, host:port, [v6]:port, tls://host:port, https://host/folder/ or s3://bucket/',
  },
  {
    given: { config: { maxx: 4 } },
    message: 'Cannot use "maxx" in /c/config.json, line 1: there is no such setting',
  },
  { given: { config: [1] }, message: "Cannot use /c/config.json: it must be one JSON object" },
  {
    // A valid stronger place does not hide an invalid weaker one.
    given: { env: { P2P_PORT: "x" }, flags: { port: "1" } },
    message: 'Cannot use "x" from P2P_PORT: it must be a whole number from 0 to 65535',
  },
  {
    given: { env: { P2P_OUT: "a\0", P2P_SYNC: "\x1b[2J" } },
    message: 'Cannot use "a\\x00" from P2P_OUT: it must be a text that is not empty',
  },
];
for (const { given, message } of faults) {
  Deno.test(`resolveSettings() throws CommandError: ${message}`, () => {
    const error = assertThrows(() => resolve(given), CommandError);
    assertEquals(error.message, message);
  });
}

Deno.test("resolveSettings() says which seeds can be written when the scheme is unknown", () => {
  const error = assertThrows(() => resolve({ flags: { seed: ["ftp://nas1"] } }), CommandError);
  assertEquals(
    error.hint,
    "Write host:port, tls://host:port, https://host/folder/ or s3://bucket/",
  );
});

Deno.test("configSource() names the file if it is not JSON", () => {
  const error = assertThrows(() => configSource("{", "/c/x.json"), CommandError);
  assertEquals(error.message.startsWith("Cannot use /c/x.json: "), true);
});

Deno.test("withEntry() keeps other keys, their order and the indentation", () => {
  const text = '{\n    "max": 4,\n    "seeds": ["a"],\n    "out": "x"\n}\n';
  assertEquals(
    withEntry(text, "/c", "seeds", ["a", "b"]),
    '{\n    "max": 4,\n    "seeds": [\n        "a",\n        "b"\n    ],\n    "out": "x"\n}\n',
  );
  assertEquals(withEntry(undefined, "/c", "max", 1), '{\n  "max": 1\n}\n');
});
