/** The platform's HTTP client: the only file that uses it. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

export interface HttpClient extends Disposable {
  /** Sends one GET and resolves with the head of the response. Redirects are not followed. */
  get(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response>;
  /** All IP addresses of a host; none if it cannot be resolved here, for example behind a proxy. */
  resolve(host: string): Promise<readonly string[]>;
}

export interface HttpClientOptions {
  /** Connections to one host that stay open between requests. */
  readonly connections: number;
}

export type OpenHttpClient = (options: HttpClientOptions) => HttpClient;

/** As long as p2p's own idle connections; servers usually wait for longer. */
const IDLE_TIMEOUT_MS = 20_000;

/**
 * HTTP/1.1 only: one connection of HTTP/2 has small windows and is slow for bulk. Proxies come from
 * the usual environment variables.
 *
 * @param caCerts PEM certificates, trusted in addition to the system's.
 */
export function httpClients(caCerts: readonly string[] = []): OpenHttpClient {
  return ({ connections }) => {
    const client = Deno.createHttpClient({
      caCerts: [...caCerts],
      http1: true,
      http2: false,
      poolMaxIdlePerHost: connections,
      poolIdleTimeout: IDLE_TIMEOUT_MS,
    });
    return {
      get: (url, headers, signal) => fetch(url, { client, headers, signal, redirect: "manual" }),
      async resolve(host) {
        if (isIP(host) !== 0) return [host];
        try {
          const found = await lookup(host, { all: true, order: "verbatim" });
          return found.map(({ address }) => address);
        } catch {
          return [];
        }
      },
      [Symbol.dispose]: () => client.close(),
    };
  };
}
