import { assert, assertEquals, assertRejects } from "@std/assert";
import { BusyError, TimeoutError, UnreachableError } from "../../core/base/errors.ts";
import { Semaphore } from "../../core/base/semaphore.ts";
import { SeedSource } from "../../core/source/seed_source.ts";
import { connectReasonOf } from "../../core/source/connect_errors.ts";
import { AllAttemptsFailed } from "../../core/source/happy_eyeballs.ts";
import { dialer, type DialPlatform, systemDialPlatform } from "../../core/source/dial.ts";
import { listen } from "../../core/source/listen.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { noAbort, watch } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const HOST = "127.0.0.1";

/** A port without a listener. */
function freePort(): number {
  using listening = listen({ host: HOST, port: 0 });
  return listening.port;
}

test("dialer() throws UnreachableError that names the seed when the connection is refused", async () => {
  const port = freePort();
  const dialing = () => dialer()({ host: HOST, port, tls: false }, noAbort);
  const error = await assertRejects(dialing, UnreachableError);
  assertEquals(error.message, `Cannot connect to ${HOST}:${port}: connection refused`);
  assert(error.cause instanceof Deno.errors.ConnectionRefused);
});

const reasons: { said: string; tls?: boolean; want: string }[] = [
  {
    said: "failed to lookup address information: Name or service not known",
    want: "could not resolve host",
  },
  {
    said: "failed to lookup address information: nodename nor servname provided, or not known",
    want: "could not resolve host",
  },
  {
    said: "failed to lookup address information: Temporary failure in name resolution",
    want: "could not resolve host: no name server answered",
  },
  {
    said:
      'invalid peer certificate: certificate not valid for name "nas3"; certificate is only valid for DnsName("nas1") or IpAddress(192.168.77.10)',
    tls: true,
    want: "its certificate is for nas1, 192.168.77.10",
  },
  { said: "Connection refused (os error 111)", want: "connection refused" },
];
for (const { said, tls = false, want } of reasons) {
  test(`connectReasonOf() returns "${want}"`, () => {
    assertEquals(connectReasonOf(new Error(said), tls), want);
  });
}

test("connectReasonOf() returns the reason of each address where they differ", () => {
  const attempts = [
    { address: "::1", error: new Error("Connection refused (os error 111)") },
    { address: "10.0.0.1", error: new Error("No route to host (os error 113)") },
  ];
  assertEquals(
    connectReasonOf(new AllAttemptsFailed(attempts), false),
    "::1: connection refused; 10.0.0.1: no route to host",
  );
});

/** The sockets of this machine, behind a resolver that knows the host "seed". */
function resolving(addresses: readonly string[]): DialPlatform {
  return {
    ...systemDialPlatform,
    clock: new ManualClock(),
    resolve: (host) => {
      assertEquals(host, "seed");
      return Promise.resolve(addresses);
    },
  };
}

test("dialer() connects to the second address of a host when the first one is refused", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const address = { host: "seed", port: listening.port, tls: false };
  using stream = await dialer(undefined, resolving(["::1", "127.0.0.2", HOST]))(address, noAbort);
  assertEquals(stream.peer, HOST);
});

test("dialer() throws BusyErrorwhen there is no descriptor for a socket", async () => {
  for (const code of ["EMFILE", "ENFILE"]) {
    const lack = Object.assign(new Error("Too many open files"), { code });
    const platform = { ...resolving([HOST]), connect: () => Promise.reject(lack) };
    const error = await assertRejects(
      () => dialer(undefined, platform)({ host: "seed", port: 7270, tls: false }, noAbort),
      BusyError,
    );
    assertEquals(error.message, "Cannot connect to seed:7270: too many open files here");
  }
});

test("dialer() tries the address that answered last first", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const address = { host: "seed", port: listening.port, tls: false };
  const tried: string[] = [];
  const platform = {
    ...resolving(["127.0.0.2", HOST]),
    connect: (address: string, port: number) => {
      tried.push(address);
      return systemDialPlatform.connect(address, port);
    },
  };
  const dial = dialer(undefined, platform);
  (await dial(address, noAbort)).close();
  (await dial(address, noAbort)).close();
  assertEquals(tried, ["127.0.0.2", HOST, HOST]);
});

test("dialer() checks the certificate for the name, not the address, whichever address answers", async () => {
  const read = (name: string) =>
    Deno.readTextFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url));
  using listening = listen({
    host: HOST,
    port: 0,
    tls: { cert: read("seed"), key: read("seed-key") },
  });
  const clients = listening.clients()[Symbol.asyncIterator]();
  const trust = { caCerts: [read("ca")] };
  const at = (host: string) => ({ host, port: listening.port, tls: true });
  const platform = { ...systemDialPlatform, resolve: () => Promise.resolve(["127.0.0.2", HOST]) };
  const served = clients.next();
  const serving = served.then(({ value }) => value!.read(new Uint8Array(1)).catch(() => null));
  const stream = await dialer(trust, platform)(at("localhost"), noAbort);
  stream.close();
  await serving;
  (await served).value!.close();
  const refused = clients.next();
  const refusing = refused.then(({ value }) => value!.read(new Uint8Array(1)).catch(() => null));
  const error = await assertRejects(
    () => dialer(trust, platform)(at("elsewhere"), noAbort),
    UnreachableError,
  );
  assert(error.message.includes("127.0.0.2: connection refused"), error.message);
  assert(
    /127\.0\.0\.1: its certificate is for [^;"()]*localhost/.test(error.message),
    error.message,
  );
  await refusing;
  (await refused).value!.close();
});

test("dialer() reports that no name server answered when the look-up takes too long", async () => {
  const clock = new ManualClock();
  const platform = { ...systemDialPlatform, clock, resolve: () => new Promise<never>(() => {}) };
  const stop = new AbortController();
  const address = { host: "seed", port: 7270, tls: false };
  const dialing = assertRejects(
    () => dialer(undefined, platform)(address, stop.signal),
    TimeoutError,
    "Cannot connect to seed:7270: could not resolve host: no name server answered",
  );
  stop.abort(new TimeoutError("no answer for 5 s"));
  await dialing;
});

test("dialer() needs no resolver for an address", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const platform = { ...systemDialPlatform, resolve: () => Promise.reject(new Error("unneeded")) };
  const address = { host: HOST, port: listening.port, tls: false };
  using _stream = await dialer(undefined, platform)(address, noAbort);
});

test("dialer() throws the signal's reason when it has already aborted", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const address = { host: HOST, port: listening.port, tls: false };
  const reason = new Error("aborted by the test");
  await assertRejects(() => dialer()(address, AbortSignal.abort(reason)), Error, "aborted by");
});

test("dialer() closes a connection that is established after the signal aborted", async () => {
  using listening = listen({ host: HOST, port: 0 });
  const clients = listening.clients()[Symbol.asyncIterator]();
  const stop = new AbortController();
  const address = { host: HOST, port: listening.port, tls: false };
  const dialing = assertRejects(() => dialer()(address, stop.signal), Error, "aborted by the test");
  stop.abort(new Error("aborted by the test"));
  await dialing;
  // This one comes after the aborted one, if that was established at all.
  using wanted = await dialer()(address, noAbort);
  await wanted.write(bytesOf("me"));
  for (;;) {
    using client = (await clients.next()).value!;
    const into = new Uint8Array(2);
    const count = await client.read(into).catch(() => null);
    if (count === null) continue;
    assertEquals(into, bytesOf("me"));
    break;
  }
});

/** Accepts connections and sends nothing. */
class SilentListener implements Disposable {
  readonly #listener = Deno.listen({ hostname: HOST, port: 0 });
  readonly address = { host: HOST, port: this.#listener.addr.port, tls: true };

  /** The next client, once its first bytes have come. */
  async client(): Promise<Deno.TcpConn> {
    const conn = await this.#listener.accept();
    await conn.read(new Uint8Array(4096));
    return conn;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

test("dialer() throws the signal's reason at once when a seed does not answer the TLS handshake", async () => {
  using silent = new SilentListener();
  const stop = new AbortController();
  const dialing = watch(dialer()(silent.address, stop.signal));
  using _client = await silent.client();
  assertEquals(dialing.ending, undefined, "it is not connected before the handshake");
  const reason = new Error("aborted by the test");
  stop.abort(reason);
  await new Promise((resolve) => setTimeout(resolve));
  assert(dialing.ending && "error" in dialing.ending);
  assertEquals(dialing.ending.error, reason);
});

test("SeedSource throws TimeoutError after connectMs when a seed does not answer the TLS handshake", async () => {
  using silent = new SilentListener();
  const clock = new ManualClock();
  await using source = new SeedSource(silent.address, {
    clock,
    dial: dialer(),
    connections: 1,
    slots: new Semaphore(1),
    connectMs: 5000,
    stallMs: 60_000,
    token: undefined,
  });
  const asked = watch(source.protocol(noAbort));
  using _client = await silent.client();
  await clock.advance(4999);
  assertEquals(asked.ending, undefined);
  await clock.advance(1);
  assert(asked.ending && "error" in asked.ending, "it ends within the time to connect");
  assert(asked.ending.error instanceof TimeoutError, String(asked.ending.error));
  assertEquals([source.troubled, source.reached], [true, false]);
});

test("dialer() throws UnreachableError when a TLS seed answers without TLS", async () => {
  using silent = new SilentListener();
  const dialing = assertRejects(() => dialer()(silent.address, noAbort), UnreachableError);
  using client = await silent.client();
  await client.write(bytesOf("P2P/1 hello\n"));
  await dialing;
});
