/**
 * Inputs worth keeping: each reached code that no seed of its target reaches, or
 * found a defect. One file a target, one input a line: a JSON string with a
 * character for each byte.
 */
import { fromFileUrl } from "@std/path";

const FOLDER = fromFileUrl(new URL("corpus/", import.meta.url));

/** None where nothing was kept for that target. */
export function readCorpus(target: string): Uint8Array[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(pathOf(target));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return text.split("\n").slice(0, -1).map(parseVector);
}

export function addToCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const lines = [...readCorpus(target), ...inputs].map(vectorOf);
  Deno.writeTextFileSync(
    pathOf(target),
    Array.from(new Set(lines), (line) => `${line}\n`).join(""),
  );
}

/** ASCII only, so that no editor and no terminal changes it. */
export function vectorOf(input: Uint8Array): string {
  const text = Array.from(input, (byte) => String.fromCharCode(byte)).join("");
  return JSON.stringify(text).replace(
    /[\u007f-\u00ff]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

export function parseVector(line: string): Uint8Array {
  return Uint8Array.from(JSON.parse(line) as string, (character) => character.charCodeAt(0));
}

function pathOf(target: string): string {
  return `${FOLDER}${target}.txt`;
}
