/**
 * The messages by which seeds are found on the local network: DNS-based service discovery (RFC 6763)
 * over multicast DNS (RFC 6762). Pure; packets come from strangers.
 */
import * as dns from "dns-packet";

/** The service type of seeds. */
export const SERVICE = "_p2p._tcp.local";

/** What a seed says of itself. It names no files. */
export interface Announcement {
  /** Random hexadecimal digits, so that a seed which is reached over two networks is recognized. */
  readonly id: string;
  readonly port: number;
  readonly tls: boolean;
  /** Whether clients need a token. */
  readonly token: boolean;
}

/** Seconds for which other programs may remember an announcement, as RFC 6762 recommends for hosts. */
const TTL_SECONDS = 120;
/** The limit of RFC 6762 for a whole packet. */
const MAX_PACKET_BYTES = 9000;
/** A packet with more records is not an answer of one seed. */
const MAX_RECORDS = 64;
const ID = /^[0-9a-f]{8,32}$/;

/** The parts of a packet that matter here; `dns-packet` has no types of its own. */
interface Packet {
  readonly type?: string;
  readonly questions?: readonly DnsRecord[];
  readonly answers?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

interface DnsRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly data?: unknown;
}

/** A question for all seeds. */
export function encodeQuery(): Uint8Array {
  return dns.encode({ type: "query", id: 0, questions: [{ name: SERVICE, type: "PTR" }] });
}

/** Whether `packet` asks for seeds. */
export function isQuery(packet: Uint8Array): boolean {
  const { type, questions = [] } = decode(packet) ?? {};
  return type === "query" && questions.length <= MAX_RECORDS &&
    questions.some(({ name, type }) =>
      name.toLowerCase() === SERVICE && (type === "PTR" || type === "ANY")
    );
}

/**
 * The answer of a seed.
 *
 * @param addresses of the interface that it is sent on.
 * @param leaves the seed ends: the answer makes others forget it.
 */
export function encodeAnnouncement(
  { id, port, tls, token }: Announcement,
  addresses: readonly string[],
  leaves = false,
): Uint8Array {
  const ttl = leaves ? 0 : TTL_SECONDS;
  const instance = `p2p-${id}.${SERVICE}`;
  const target = `p2p-${id}.local`;
  const text = ["v=2", `id=${id}`, `tls=${Number(tls)}`, `auth=${token ? "token" : "none"}`];
  return dns.encode({
    type: "response",
    id: 0,
    flags: dns.AUTHORITATIVE_ANSWER,
    answers: [{ name: SERVICE, type: "PTR", ttl, data: instance }],
    additionals: [
      { name: instance, type: "SRV", ttl, data: { port, target } },
      { name: instance, type: "TXT", ttl, data: text },
      ...addresses.map((data) => ({
        name: target,
        type: data.includes(":") ? "AAAA" : "A",
        ttl,
        data,
      })),
    ],
  });
}

/** What a packet announces; undefined if it is not the answer of a seed that can be reached. */
export function decodeAnnouncement(packet: Uint8Array): Announcement | undefined {
  const { type, answers = [], additionals = [] } = decode(packet) ?? {};
  const records = [...answers, ...additionals];
  if (type !== "response" || records.length > MAX_RECORDS) return undefined;
  const instance = records.find(({ name, type }) =>
    name.toLowerCase() === SERVICE && type === "PTR"
  );
  const recordOf = (wanted: string) =>
    records.find(({ name, type }) => type === wanted && name === instance?.data);
  const srv = recordOf("SRV");
  const port = Object(srv?.data).port;
  const text = textOf(recordOf("TXT")?.data);
  const id = text.get("id");
  if (srv?.ttl === 0 || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  if (id === undefined || !ID.test(id)) return undefined;
  return { id, port, tls: text.get("tls") === "1", token: text.get("auth") === "token" };
}

/** The attributes of a TXT record; the first of equal keys counts, as RFC 6763 says. */
function textOf(data: unknown): ReadonlyMap<string, string> {
  const texts = (Array.isArray(data) ? data : [data]).slice(0, MAX_RECORDS);
  const pairs = texts.map((each) => {
    const text = each instanceof Uint8Array ? new TextDecoder().decode(each) : "";
    const [key = "", ...value] = text.split("=");
    return [key.toLowerCase(), value.join("=")] as const;
  });
  return new Map(pairs.toReversed());
}

function decode(packet: Uint8Array): Packet | undefined {
  if (packet.length > MAX_PACKET_BYTES) return undefined;
  try {
    return dns.decode(packet);
  } catch {
    // It is no DNS message.
    return undefined;
  }
}
