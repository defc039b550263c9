/** The schemas of commands/schema/, closed: a field that a schema does not name is an error. */
import { assert } from "@std/assert";
import { Ajv2020, type ValidateFunction } from "ajv/2020";
import { readSchemas } from "../../scripts/json_tables.ts";

/** The schema of an object by the name of its file, or of a definition: `verify#same`. */
export class JsonSchemas {
  readonly #ajv = new Ajv2020({ strict: true, strictRequired: true, allowUnionTypes: true });
  /** Every schema and every definition that is an object. */
  readonly names: ReadonlySet<string>;
  /** Those that an object was checked against. */
  readonly met = new Set<string>();

  constructor() {
    const names = new Set<string>();
    for (const [file, schema] of readSchemas()) {
      this.#ajv.addSchema(closed(schema) as object, `${file}.json`);
      if (schema.properties) names.add(file);
      for (const [name, { properties }] of Object.entries(schema.$defs ?? {})) {
        if (properties && file !== "common") names.add(`${file}#${name}`);
      }
    }
    this.names = names;
  }

  /** @throws {AssertionError} with the place of the first fault if `value` does not fit. */
  check(name: string, value: unknown): void {
    const [file, definition] = name.split("#");
    const path = definition === undefined ? "" : `#/$defs/${definition}`;
    const validate: ValidateFunction | undefined = this.#ajv.getSchema(`${file}.json${path}`);
    assert(validate, `there is no schema "${name}"`);
    const fits = validate(value);
    const fault = this.#ajv.errorsText(validate.errors, { dataVar: name });
    assert(
      fits,
      `${fault}: ${JSON.stringify(validate.errors?.[0]?.params)}\n${JSON.stringify(value)}`,
    );
    this.met.add(name);
  }
}

/** The schema with `additionalProperties: false` in every object with properties. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(([key, value]) => [key, closed(value)]);
  const isObject = "properties" in schema && "type" in schema;
  return Object.fromEntries(isObject ? [...entries, ["additionalProperties", false]] : entries);
}
