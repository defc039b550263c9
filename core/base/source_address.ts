/** Where a seed listens, as people write it: `host`, `host:port`, `[v6]:port`, `tls://host:port`. */
import { UsageError } from "./errors.ts";

export const DEFAULT_PORT = 7270;

export interface SourceAddress {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

const FORM =
  /^(?<tls>tls:\/\/)?(?:\[(?<v6>[0-9a-fA-F.]*:[0-9a-fA-F:.]*(?:%\w+)?)\]|(?<host>[^\s:/@[\]]+))(?::(?<port>\d{1,5}))?$/;

/** @throws {UsageError} if `text` is no address. */
export function parseSourceAddress(text: string): SourceAddress {
  const { tls, v6, host, port } = text.match(FORM)?.groups ?? {};
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  const name = v6 ?? host;
  if (name === undefined || number < 1 || number > 65_535) {
    throw new UsageError(`Cannot use "${text}" as a seed`, {
      problem: "seed-address",
    });
  }
  return { host: name.toLowerCase(), port: number, tls: tls !== undefined };
}

/** The one spelling of an address; two seeds are the same when it is equal. */
export function formatSourceAddress({ host, port, tls }: SourceAddress): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${tls ? "tls://" : ""}${name}:${port}`;
}
