/** Conditional requests of HTTP (RFC 9110, section 13). */
import { parseHttpDate } from "./http_date.ts";
import type { HttpRequest } from "./http_request.ts";

/** What tells one version of a file from another. */
export interface Validators {
  /** In quotes. */
  readonly tag: string;
  /** Whether equal tags mean equal bytes; a file that was changed a moment ago may change unnoticed. */
  readonly isStrong: boolean;
  /** Seconds since 1970. */
  readonly modified: number;
}

/** As the value of `ETag`. */
export function formatTag({ tag, isStrong }: Validators): string {
  return isStrong ? tag : `W/${tag}`;
}

/** The status that a condition of the request leads to; undefined if the request is to be served. */
export function failedCondition(
  { fields }: Pick<HttpRequest, "fields">,
  validators: Validators,
  nowMs: number,
): 304 | 412 | undefined {
  const { tag, isStrong, modified } = validators;
  const match = fields.get("if-match");
  const noneMatch = fields.get("if-none-match");
  const dateOf = (name: string) => parseHttpDate(fields.get(name) ?? "", nowMs);
  if (match !== undefined) {
    const has = match === "*" ||
      isStrong && tagsIn(match).some((one) => !one.isWeak && one.tag === tag);
    if (!has) return 412;
  } else {
    const since = dateOf("if-unmodified-since");
    if (since !== undefined && modified > since) return 412;
  }
  if (noneMatch !== undefined) {
    // A weak comparison: the client only wants to know whether to load the file again.
    const has = noneMatch === "*" || tagsIn(noneMatch).some((one) => one.tag === tag);
    return has ? 304 : undefined;
  }
  const since = dateOf("if-modified-since");
  return since !== undefined && modified <= since ? 304 : undefined;
}

/** Whether the ranges of the request may be sent: the client has the beginning of this version. */
export function mayContinue(
  { fields }: Pick<HttpRequest, "fields">,
  { tag, isStrong, modified }: Validators,
  nowMs: number,
): boolean {
  const validator = fields.get("if-range");
  if (validator === undefined) return true;
  // A weak validator cannot prove that the bytes are the same.
  if (!isStrong) return false;
  return validator.startsWith('"')
    ? validator === tag
    : parseHttpDate(validator, nowMs) === modified;
}

interface EntityTag {
  readonly tag: string;
  readonly isWeak: boolean;
}

// deno-lint-ignore no-control-regex -- a tag holds none
const TAG = /(W\/)?("[^"\x00-\x20\x7f]*")/y;

/** The tags of a list up to the first thing that is none. */
function tagsIn(list: string): EntityTag[] {
  const tags: EntityTag[] = [];
  for (let at = 0; at < list.length;) {
    if (", \t".includes(list.charAt(at))) {
      at++;
      continue;
    }
    TAG.lastIndex = at;
    const match = TAG.exec(list);
    if (!match) break;
    tags.push({ tag: match[2]!, isWeak: match[1] !== undefined });
    at = TAG.lastIndex;
  }
  return tags;
}
