import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../core/base/errors.ts";
import { listenOn } from "../../core/source/listen_on.ts";
import { listen, type Listening, type ListenOptions } from "../../core/source/transport.ts";

const FREE = 4711;

/** A machine where listening on some hosts, or on ports of them, fails. */
function machine(faults: Readonly<Record<string, () => Error>>) {
  const open: string[] = [];
  const listenOnce = ({ host, port }: ListenOptions): Listening => {
    const fault = faults[host] ?? faults[`${host}:${port}`];
    if (fault) throw new UsageError(`Cannot listen on ${host}`, { cause: fault() });
    const at = `${host}:${port || FREE}`;
    open.push(at);
    const close = () => void open.splice(open.indexOf(at), 1);
    const clients = () => (async function* () {})();
    return { host, port: port || FREE, clients, close, [Symbol.dispose]: close };
  };
  return { open, listen: (host: string, port = 0) => listenOn({ host, port }, listenOnce) };
}

const inUse = () => new Deno.errors.AddrInUse();
const noAddress = () => new Deno.errors.AddrNotAvailable();
const noFamily = () => new Error("Address family not supported by protocol (os error 97)");

Deno.test("listenOn() takes one listener for :: where it takes IPv4, too", () => {
  const linux = machine({ "0.0.0.0": inUse });
  assertEquals(linux.listen("::").map(({ host }) => host), ["::"]);
  const windows = machine({});
  windows.listen("::", 7270);
  assertEquals(windows.open, [":::7270", "0.0.0.0:7270"]);
});

Deno.test("listenOn() listens on IPv4 alone where the machine has no IPv6", () => {
  for (const fault of [noFamily, noAddress]) {
    const old = machine({ "::": fault, "::1": fault });
    assertEquals(old.listen("::").map(({ host }) => host), ["0.0.0.0"]);
    assertEquals(old.listen("localhost").map(({ host }) => host), ["127.0.0.1"]);
  }
});

Deno.test("listenOn() takes both loopback addresses for localhost, at the same port", () => {
  const both = machine({});
  both.listen("localhost");
  assertEquals(both.open, [`127.0.0.1:${FREE}`, `::1:${FREE}`]);
});

Deno.test("listenOn() fails rather than leave one family to another program, and leaves nothing open", () => {
  for (const host of ["::", "localhost"]) {
    const taken = machine({ [host === "::" ? "::" : "::1"]: inUse });
    assertThrows(() => taken.listen(host, 7270), UsageError);
    assertThrows(() => taken.listen(host), UsageError);
    assertEquals(taken.open, []);
  }
});

Deno.test("listenOn() takes any other host as it is", () => {
  const one = machine({ "10.0.0.1": noAddress });
  assertEquals(one.listen("127.0.0.1").map(({ host }) => host), ["127.0.0.1"]);
  assertThrows(() => one.listen("10.0.0.1"), UsageError);
});

Deno.test("listenOn() says in plain words why it cannot listen, with brackets around IPv6", () => {
  assertThrows(
    () => listenOn({ host: "2001:db8::1", port: 7270 }, listen),
    UsageError,
    "Cannot listen on [2001:db8::1]:7270: this machine has no such address",
  );
  assertThrows(
    () => listenOn({ host: "no-such-host.invalid", port: 7270 }, listen),
    UsageError,
    "Cannot listen on no-such-host.invalid:7270: ",
  );
});
