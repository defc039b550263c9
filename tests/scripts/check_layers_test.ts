import { assertEquals, assertThrows } from "@std/assert";
import {
  faultsOf,
  type Module,
  modulesOf,
  roomOf,
  sourceFaultsOf,
} from "../../scripts/check_layers.ts";

const rooms = [
  { file: "core/base/clock.ts", want: "core/base" },
  { file: "core/events.ts", want: "core/events.ts" },
  { file: "core/mod.ts", want: "core/mod.ts" },
  { file: "commands/get.ts", want: "commands" },
  { file: "commands/ui/table.ts", want: "commands/ui" },
  { file: "main.ts", want: "main.ts" },
  { file: "core/basement/shelf.ts", want: undefined },
  { file: "core/helpers.ts", want: undefined },
];
for (const { file, want } of rooms) {
  Deno.test(`roomOf() gives ${want ?? "no room"} for ${file}`, () => {
    assertEquals(roomOf(file), want);
  });
}

const moduleOf = (file: string, ...imports: string[]): Module => ({
  file,
  imports,
});

const worlds = [
  {
    name: "nothing when every import is allowed",
    modules: [
      moduleOf("main.ts", "commands/mod.ts", "core/mod.ts", "deno.json"),
      moduleOf("commands/mod.ts", "commands/get.ts"),
      moduleOf("commands/get.ts", "commands/ui/view.ts", "core/mod.ts"),
      moduleOf("commands/ui/view.ts", "core/mod.ts"),
      moduleOf("core/mod.ts", "core/download/task.ts", "core/base/clock.ts"),
      moduleOf("core/download/task.ts", "core/base/clock.ts"),
      moduleOf("core/base/clock.ts"),
      moduleOf("deno.json"),
    ],
    want: [],
  },
  {
    name: "the rooms that are allowed when another one is imported",
    modules: [moduleOf("core/source/pool.ts", "core/plan/picker.ts")],
    want: [
      'core/source/pool.ts imports core/plan/picker.ts: "core/source" may import core/protocol, core/base',
    ],
  },
  {
    name: "a fault when base imports anything",
    modules: [moduleOf("core/base/clock.ts", "core/protocol/greeting.ts")],
    want: [
      'core/base/clock.ts imports core/protocol/greeting.ts: "core/base" may import no other room',
    ],
  },
  {
    name: "a fault when a command goes past the door of core",
    modules: [moduleOf("commands/get.ts", "core/base/names.ts")],
    want: [
      "commands/get.ts imports core/base/names.ts: " +
      '"commands" may import commands/ui, core/mod.ts',
    ],
  },
  {
    name: "one line when a file lies in no room",
    modules: [
      moduleOf("core/mod.ts", "core/helpers.ts"),
      moduleOf("core/helpers.ts"),
    ],
    want: ["core/helpers.ts lies in no room"],
  },
  {
    name: "the cycle when files of one room import each other",
    modules: [
      moduleOf("core/plan/a.ts", "core/plan/b.ts"),
      moduleOf("core/plan/b.ts", "core/plan/c.ts"),
      moduleOf("core/plan/c.ts", "core/plan/b.ts"),
    ],
    want: [
      "files in a cycle: core/plan/b.ts -> core/plan/c.ts -> core/plan/b.ts",
    ],
  },
  {
    name: "every cycle when there are several",
    modules: [
      moduleOf("core/plan/a.ts", "core/plan/a.ts"),
      moduleOf("core/plan/b.ts", "core/plan/c.ts"),
      moduleOf("core/plan/c.ts", "core/plan/b.ts"),
    ],
    want: [
      "files in a cycle: core/plan/a.ts -> core/plan/a.ts",
      "files in a cycle: core/plan/b.ts -> core/plan/c.ts -> core/plan/b.ts",
    ],
  },
  {
    name: "the cycle when two rooms import each other through different files",
    modules: [
      moduleOf("core/store/a.ts", "core/protocol/a.ts"),
      moduleOf("core/protocol/b.ts", "core/store/b.ts"),
    ],
    want: [
      'core/protocol/b.ts imports core/store/b.ts: "core/protocol" may import core/base',
      "rooms in a cycle: core/store -> core/protocol -> core/store",
    ],
  },
];
for (const { name, modules, want } of worlds) {
  Deno.test(`faultsOf() gives ${name}`, () => {
    assertEquals(faultsOf(modules), want);
  });
}

const CLOCK_FILES = "only core/mod.ts, core/base/clock.ts may";

const sources = [
  {
    name: "the line when core asks for the time",
    file: "core/plan/picker.ts",
    source: "const a = 1;\nconst b = Date.now();\n",
    want: [`core/plan/picker.ts:2 uses Date.now: ${CLOCK_FILES}`],
  },
  {
    name: "each name when one line has several",
    file: "core/protocol/auth.ts",
    source: "f(setTimeout(run), performance.now(), setInterval(run));",
    want: ["setTimeout", "performance.now", "setInterval"].map((name) =>
      `core/protocol/auth.ts:1 uses ${name}: ${CLOCK_FILES}`
    ),
  },
  {
    name: "a fault when core uses randomness",
    file: "core/plan/picker.ts",
    source: "Math.random();",
    want: ["core/plan/picker.ts:1 uses Math.random: only core/mod.ts, core/base/random.ts may"],
  },
  {
    name: "a fault for each socket when a file other than dial.ts and listen.ts opens them",
    file: "core/serve/server.ts",
    source: "Deno.connect(a);\nDeno.connectTls(a);\nDeno.listen(a);",
    want: ["connect", "connectTls", "listen"].map((name, index) =>
      `core/serve/server.ts:${index + 1} uses Deno.${name}: ` +
      "only core/mod.ts, core/source/dial.ts, core/source/listen.ts may"
    ),
  },
  {
    name: "a fault when core makes a temporary folder",
    file: "core/state/control.ts",
    source: "await Deno.makeTempDir();",
    want: [
      "core/state/control.ts:1 uses Deno.makeTempDir: " +
      "only core/runtime.ts may",
    ],
  },
  {
    name: "a fault for each flag when a string of core names some",
    file: "core/base/errors.ts",
    source: "f(\"use --max\");\ng(`with --task-limit ${a}`, '--no-digest');",
    want: [["1", "--max"], ["2", "--task-limit"], ["2", "--no-digest"]].map(([line, flag]) =>
      `core/base/errors.ts:${line} names ${flag} in a string: flags belong to commands`
    ),
  },
  {
    name: "nothing when comments and code of core have two hyphens",
    file: "core/base/errors.ts",
    source: "// --max\nwhile (i --\n> 0) i--; f(`a--b`, '-----BEGIN', '--');",
    want: [],
  },
  {
    name: "nothing when a command names a flag",
    file: "commands/get.ts",
    source: 'f("--max");',
    want: [],
  },
  {
    name: "nothing when only comments name it",
    file: "core/plan/picker.ts",
    source: "// not Date.now\n/* nor\n * Deno.env */\nconst a = 1; // Math.random",
    want: [],
  },
  {
    name: "the true line when a comment stands before",
    file: "commands/get.ts",
    source: "/* one\n * two */\nDeno.exit(1);",
    want: ["commands/get.ts:3 uses Deno.exit: only main.ts may"],
  },
  {
    name: "a fault when it stands behind a string with slashes",
    file: "commands/get.ts",
    source: 'open("p2p://a"); Deno.exit(1);',
    want: ["commands/get.ts:1 uses Deno.exit: only main.ts may"],
  },
  {
    name: "nothing when the clock asks for the time",
    file: "core/base/clock.ts",
    source: "Date.now();",
    want: [],
  },
  {
    name: "a fault when a file of state reads the environment",
    file: "core/state/directories.ts",
    source: 'Deno.env.get("HOME");',
    want: ["core/state/directories.ts:1 uses Deno.env: only core/mod.ts may"],
  },
  {
    name: "nothing when a command measures time",
    file: "commands/get.ts",
    source: "performance.now();",
    want: [],
  },
  {
    name: "nothing when main exits",
    file: "main.ts",
    source: "Deno.exit(0);",
    want: [],
  },
  {
    name: "nothing when a longer name only begins like it",
    file: "core/plan/picker.ts",
    source: "myDate.nowhere; Deno.environment; Deno.exitCode;",
    want: [],
  },
];
for (const { name, file, source, want } of sources) {
  Deno.test(`sourceFaultsOf() gives ${name}`, () => {
    assertEquals(sourceFaultsOf(file, source), want);
  });
}

Deno.test("modulesOf() keeps code and type imports of ours when packages are imported too", () => {
  const specifier = "file:///p2p/main.ts";
  const dependencies = [
    { code: { specifier: "file:///p2p/core/mod.ts" } },
    { type: { specifier: "file:///p2p/core/events.ts" } },
    { code: { specifier: "node:fs" } },
    { code: { specifier: "https://jsr.io/@std/path/1.1.6/mod.ts" } },
    { code: { specifier: "file:///p2p/.npm-only/deps-1/std/async/mod.js" } },
    { code: { specifier: "file:///elsewhere/a.ts" } },
    {},
  ];
  assertEquals(
    modulesOf({
      modules: [
        { specifier, dependencies },
        { specifier: "file:///p2p/.npm-only/deps-1/std/async/mod.js" },
      ],
    }, "file:///p2p/"),
    [moduleOf("main.ts", "core/mod.ts", "core/events.ts")],
  );
});

Deno.test("modulesOf() throws when a module of ours cannot be read", () => {
  const missing = {
    specifier: "file:///p2p/core/mod.ts",
    error: "Module not found",
  };
  assertThrows(
    () => modulesOf({ modules: [missing] }, "file:///p2p/"),
    Error,
    "Cannot check imports: Module not found",
  );
});
