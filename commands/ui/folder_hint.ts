/** What to do where somebody may have named a folder: seeds have only files. */
import { isGlob } from "../../core/mod.ts";
import { shellWord } from "./shell_word.ts";

/** Such a name is hardly a folder's. */
const EXTENSION = /\.(?=\w*[a-z])\w{1,7}$/i;

const FOLDER = "; what is in a folder with p2p ";

/** `step`, and how `command` takes what is in the folder, if `name` may be one's. */
export function orFolder(step: string, command: "get" | "list", name: string): string {
  if (EXTENSION.test(name) || isGlob(name)) return step;
  return `${step}${FOLDER}${command} ${shellWord(`${name}/**`)}`;
}

/** What a hint says whatever the name. */
export function withoutFolder(hint: string): string {
  return hint.split(FOLDER)[0]!;
}
