/** The names of this machine that HTTP requests may be for. */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { ServeSettings } from "../../config.ts";

/** In lower case: the machine's own name, the name to listen on, those of the certificate, and those of the settings. */
export function hostNamesOf(
  { host, httpHosts, tls }: Pick<ServeSettings, "host" | "httpHosts" | "tls">,
  hostName: string | undefined,
): ReadonlySet<string> {
  const own = hostName === undefined ? [] : [hostName, hostName.replace(/\..*$/, "")];
  const names = [...own, host, ...httpHosts, ...namesIn(tls?.cert)];
  return new Set(
    names.map((name) => name.toLowerCase().replace(/\.$/, ""))
      .filter((name) => name !== "" && isIP(name) === 0),
  );
}

/** Names without wildcards. */
function namesIn(cert: string | undefined): string[] {
  if (cert === undefined) return [];
  try {
    const { subjectAltName = "" } = new X509Certificate(cert);
    return Array.from(subjectAltName.matchAll(/DNS:([a-z0-9._-]+)/gi), ([, name]) => name!);
  } catch {
    // The listener reports a certificate that cannot be used.
    return [];
  }
}
