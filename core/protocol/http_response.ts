/** Encodes the head of an HTTP response. */
import type { HttpField } from "./http_request.ts";

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial Content",
  301: "Moved Permanently",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  412: "Precondition Failed",
  414: "URI Too Long",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

/** What can be in a field and is one byte in UTF-8. */
const VALUE = /^[\x20-\x7e]*$/;

/**
 * ASCII, with the empty line.
 *
 * @throws {Error} if a value has other characters, for example a line end: it must be encoded before.
 */
export function encodeHttpHead(status: number, fields: readonly HttpField[]): string {
  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`;
  for (const [name, value] of fields) {
    if (!VALUE.test(value)) throw new Error(`Cannot send the field ${name}: it is not ASCII`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}
