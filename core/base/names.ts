/**
 * Names of files in the protocol: a path below the served folder, with `/` between its parts.
 * `store/paths.ts` turns them into local paths.
 */

/** In UTF-8. */
export const MAX_NAME_BYTES = 1024;
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const FORBIDDEN = /[\u0000-\u001f\u007f\\]/;

/** Why `name` must not be offered or accepted, or undefined when it is valid. */
export function invalidNameReason(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (FORBIDDEN.test(name)) {
    return "it holds a control character or a backslash";
  }
  if (!name.isWellFormed()) return "it is not valid Unicode";
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    return `it is longer than ${MAX_NAME_BYTES} bytes`;
  }
  for (const part of name.split("/")) {
    if (part === "") {
      return "it has an empty part, or begins or ends with a slash";
    }
    if (part === "." || part === "..") return `it has a part "${part}"`;
  }
  return undefined;
}

export function isValidName(name: string): boolean {
  return invalidNameReason(name) === undefined;
}

/** Order by code point, which is the order of the UTF-8 bytes; `<` compares UTF-16 units. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rankOfUnit(x) - rankOfUnit(y);
  }
  return a.length - b.length;
}

/** Surrogates encode code points above those of all other units. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
