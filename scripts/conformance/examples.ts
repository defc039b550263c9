/** The examples of the protocol's specification, read from the page itself. */

/** What a side of the conversation sends: a line, or a body without a line end of its own. */
export type Step =
  | { readonly from: "client"; readonly line: string }
  | { readonly from: "seed"; readonly line: string }
  | { readonly from: "seed"; readonly body: string };

export interface Example {
  /** `client`: a session as the p2p client requests it. `receiver`: a session with a receiver, which has some pieces only. */
  readonly kind: "session" | "client" | "receiver" | "one-shot";
  /** The line of the page at which it begins. */
  readonly at: number;
  readonly steps: readonly Step[];
}

/** Placeholders of the page, and what they stand for. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  "<nonce>": "[0-9a-fA-F]{32}",
  "<length>": "(?:0|[1-9][0-9]*)",
  "<ms>": "-?[0-9]+(?:\\.[0-9]+)?",
  "<address>": "(?:[0-9.]+|\\[[0-9a-f:.]+\\])",
  "<text>": "[^\\n]*",
};

/** The files that the examples speak of. */
export const EXAMPLE_FILES: Readonly<Record<string, Uint8Array>> = {
  "a|b.txt": new Uint8Array(200).fill("x".charCodeAt(0)),
  "empty": new Uint8Array(),
  "hello.txt": new TextEncoder().encode("hello\n"),
  "zeros.bin": new Uint8Array(1_048_577),
};

/** @throws {Error} if a block of the page is not an example. */
export function examplesIn(page: string): Example[] {
  const examples: Example[] = [];
  let current: { kind: Example["kind"]; at: number; steps: Step[] } | undefined;
  for (const [index, line] of page.split("\n").entries()) {
    const opened = line.match(/^```(session|client|receiver|one-shot)$/)?.[1] as
      | Example["kind"]
      | undefined;
    if (opened) current = { kind: opened, at: index + 1, steps: [] };
    else if (current && line === "```") {
      examples.push(current);
      current = undefined;
    } else if (current) current.steps.push(stepOf(line, index + 1));
  }
  return examples;
}

function stepOf(text: string, at: number): Step {
  const rest = text.slice(2);
  switch (text.slice(0, 2)) {
    case "> ":
      return { from: "client", line: rest };
    case "< ":
      return { from: "seed", line: rest };
    case "= ":
      return { from: "seed", body: JSON.parse(rest) };
    default:
      throw new Error(`Line ${at} of the page is no step of an example: ${text}`);
  }
}

/** Whether `text` is what the page shows, placeholders filled in. */
export function isLike(text: string, shown: string): boolean {
  const parts = shown.split(/(<[a-z]+>)/);
  const pattern = parts.map((part) => PLACEHOLDERS[part] ?? escaped(part)).join("");
  return new RegExp(`^${pattern}$`, "s").test(text);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
