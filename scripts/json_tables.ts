/**
 * Writes the tables of commands/README.md that come from somewhere else: the fields of each JSON object
 * from its schema, exit codes and settings from the source.
 *
 *     deno task tables
 *
 * A table follows a line `<!-- table: <name> -->`, where the name is that of a schema, of a definition
 * in it (`verify#same`), or of a list (`exit codes`, `settings`).
 */
import { fromFileUrl } from "@std/path";
import { defaultTextOf } from "../commands/options.ts";
import { flagOf, SETTING_NAMES, settingOf, variableOf } from "../commands/settings.ts";
import { EXITS } from "../commands/ui/failure.ts";
import { ROOT } from "./source_files.ts";

export const PAGE = new URL("commands/README.md", ROOT);
const SCHEMAS = new URL("commands/schema/", ROOT);

/** The part of JSON Schema that the files in commands/schema/ use. */
export interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly type?: string | readonly string[];
  readonly const?: string;
  readonly enum?: readonly (string | null)[];
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** A table: the cells of each row, the titles first. */
export type Table = readonly (readonly string[])[];

/** The schema files by name, without ".json". */
export function readSchemas(): Map<string, Schema> {
  const names = Array.from(Deno.readDirSync(SCHEMAS), ({ name }) => name).sort();
  return new Map(
    names.map((name) => [
      name.replace(/\.json$/, ""),
      JSON.parse(Deno.readTextFileSync(new URL(name, SCHEMAS))),
    ]),
  );
}

/** Every table that the page must have, by its name. */
export function tables(): Map<string, Table> {
  const schemas = readSchemas();
  const objects = Array.from(schemas).flatMap(([file, schema]) => [
    ...schema.properties ? [[file, schema] as const] : [],
    ...Object.entries(schema.$defs ?? {})
      .filter(([, definition]) => definition.properties)
      .map(([name, definition]) => [`${file}#${name}`, definition] as const),
  ]);
  const ofObjects = objects.map(([name, schema]) => {
    const rows = rowsOf(schema, "", fileOf(name), schemas);
    return [name, [["field", "type", "meaning"], ...rows]] as const;
  });
  const exits = EXITS.map(([code, meaning]) => [String(code), meaning]);
  return new Map<string, Table>([
    ...ofObjects,
    ["exit codes", [["code", "meaning"], ...exits]],
    ["settings", [["setting", "flag", "variable", "default"], ...SETTING_NAMES.map(settingRow)]],
  ]);
}

function fileOf(name: string): string {
  return name.replace(/#.*/, "");
}

function settingRow(name: typeof SETTING_NAMES[number]): string[] {
  const { placeholder } = settingOf(name).kind;
  const flag = `--${flagOf(name)}${placeholder === "" ? "" : ` <${placeholder}>`}`;
  return [
    `\`${name}\``,
    `\`${flag.replaceAll("|", "\\|")}\``,
    `\`${variableOf(name)}\``,
    defaultTextOf(name),
  ];
}

/** The rows of an object's fields; those of objects without a name of their own follow as `a.b` and `a[].b`. */
function rowsOf(
  schema: Schema,
  prefix: string,
  file: string,
  schemas: ReadonlyMap<string, Schema>,
): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix + name;
    const optional = schema.required?.includes(name) ? "" : ", optional";
    const type = typeOf(property, file, schemas) + optional;
    return [
      [`\`${path}\``, type, meaningOf(property, file, schemas)],
      ...rowsOf(property, `${path}.`, file, schemas),
      ...rowsOf(property.items ?? {}, `${path}[].`, file, schemas),
    ];
  });
}

function resolve(schema: Schema, file: string, schemas: ReadonlyMap<string, Schema>): Schema {
  if (schema.$ref === undefined) return schema;
  const [, from, name = ""] = schema.$ref.match(/^(?:(.*)\.json)?#\/\$defs\/(.*)$/) ?? [];
  const found = schemas.get(from ?? file)?.$defs?.[name];
  if (found === undefined) throw new Error(`Cannot find "${schema.$ref}" of ${file}.json`);
  return found;
}

function typeOf(schema: Schema, file: string, schemas: ReadonlyMap<string, Schema>): string {
  const { const: fixed, anyOf, oneOf, items, additionalProperties } = schema;
  if (fixed !== undefined) return `"${fixed}"`;
  if (anyOf) return anyOf.map((each) => typeOf(each, file, schemas)).join(" or ");
  if (oneOf) return "object";
  const resolved = resolve(schema, file, schemas);
  const name = schema.$ref?.match(/[^/]*$/)?.[0];
  if (resolved.properties && name !== undefined) return `[${name}](#${name})`;
  return [resolved.type ?? []].flat().map((type) => {
    if (type === "array" && items) return `array of ${plural(typeOf(items, file, schemas))}`;
    if (type === "object" && additionalProperties) {
      return `object of ${plural(typeOf(additionalProperties, file, schemas))}`;
    }
    return type;
  }).join(" or ");
}

function plural(type: string): string {
  return type.endsWith(")") ? type.replace("]", "s]") : `${type}s`;
}

function meaningOf(schema: Schema, file: string, schemas: ReadonlyMap<string, Schema>): string {
  const resolved = resolve(schema, file, schemas);
  const values = resolved.enum?.filter((value) => value !== null).map((value) => `\`${value}\``);
  const text = schema.description ?? resolved.description ?? "";
  const missing = values?.filter((value) => !text.includes(value)) ?? [];
  if (values === undefined || missing.length === 0) return text;
  return `${text} One of ${values.join(", ")}.`;
}

/** The tables of the page by name, as they are. */
export function tablesIn(page: string): Map<string, Table> {
  return new Map(
    Array.from(page.matchAll(MARKED), ([, , name = "", text = ""]) => {
      const lines = text.trim().split("\n").filter((line, i) => line !== "" && i !== 1);
      return [
        name,
        lines.map((line) => line.split(UNESCAPED_BAR).slice(1, -1).map((cell) => cell.trim())),
      ];
    }),
  );
}

const UNESCAPED_BAR = /(?<!\\)\|/;

/** A marker, its name, and the table after it, if there is one. */
const MARKED = /(<!-- table: (.+?) -->)\n\n((?:\|.*\n)*)/g;

/** The page with current tables. */
export function withTables(page: string, current: ReadonlyMap<string, Table>): string {
  return page.replace(MARKED, (_, marker: string, name: string, text: string) => {
    const [titles = [], ...rows] = current.get(name) ?? [];
    const lines = [titles, titles.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
    // A new table must not join the paragraph after it.
    return `${marker}\n\n${lines.join("\n")}\n${text === "" ? "\n" : ""}`;
  });
}

/** Makes the tables of the page current. */
export async function writeTables(): Promise<void> {
  const page = Deno.readTextFileSync(PAGE);
  Deno.writeTextFileSync(PAGE, withTables(page, tables()));
  const args = ["fmt", "--quiet", fromFileUrl(PAGE)];
  const { success } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error("Cannot format the page: deno fmt failed");
}

if (import.meta.main) await writeTables();
