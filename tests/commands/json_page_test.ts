import { assert, assertEquals, assertThrows } from "@std/assert";
import { PAGE, tables, tablesIn } from "../../scripts/json_tables.ts";
import { exitOfFailure } from "../../commands/ui/failure.ts";
import { JsonSchemas } from "../support/json_schemas.ts";

const page = Deno.readTextFileSync(PAGE);

Deno.test("commands/README.md has the table of every schema, with the same fields, types and meanings", () => {
  const written = tablesIn(page);
  const current = tables();
  assertEquals([...written.keys()].sort(), [...current.keys()].sort());
  for (const [name, table] of current) {
    assertEquals(written.get(name), table, `"${name}" is not current: run deno task tables`);
  }
});

Deno.test("commands/README.md names the schema file of every object in a heading", () => {
  const named = Array.from(page.matchAll(/^### .*\((.*)\.json\)$/gm), ([, name]) => name!);
  const files = [...new JsonSchemas().names].filter((name) => !name.includes("#"));
  assertEquals(named.sort(), files.sort());
});

Deno.test("the example in commands/README.md fits the schemas", () => {
  const schemas = new JsonSchemas();
  const [, text = ""] = page.match(/^```jsonl\n([^]*?)^```$/m) ?? [];
  const events = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  for (const event of events) schemas.check(`get-${event.event}`, event);
  assertEquals(events.at(-1).event, "summary");
});

Deno.test("commands/README.md gives the exit code of every code of a failure", () => {
  const rows = Array.from(page.matchAll(/^\| (`[a-z`, -]+`) +\| ([\d, ]+?) +\|$/gm));
  const codes = rows.flatMap(([, codes = "", exits = ""]) =>
    Array.from(codes.matchAll(/`(.*?)`/g), ([, code = ""]) => [code, exits] as const)
  );
  const failed = tables().get("get-failed")!;
  const all = failed.find(([field]) => field === "`code`")![2]!;
  assertEquals(
    codes.map(([code]) => code).sort(),
    Array.from(all.matchAll(/`(.*?)`/g), ([, code]) => code!).sort(),
  );
  for (const [code, exits] of codes) {
    const exit = exitOfFailure(code as Parameters<typeof exitOfFailure>[0]);
    assert(exits.split(", ").includes(String(exit)), code);
  }
});

Deno.test("JsonSchemas reports a field that the schema does not name, one that is missing, and a wrong type", () => {
  const schemas = new JsonSchemas();
  const right = { max: 3, running: 0 };
  schemas.check("max-set", right);
  assertEquals([...schemas.met], ["max-set"]);
  assertThrows(() => schemas.check("max-set", { ...right, more: 1 }), Error, "more");
  assertThrows(() => schemas.check("max-set", { max: 3 }), Error, "running");
  assertThrows(() => schemas.check("max-set", { ...right, max: "3" }), Error, "integer");
});
