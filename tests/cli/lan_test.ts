/** Seeds that are found without an address, on a bridge of two network namespaces. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { output } from "../../scripts/release/tools.ts";
import { assertCode, type CliFixture, noise, PROGRAM, type RunOptions, test } from "./harness.ts";

const FOUND = { P2P_ANNOUNCE: "on", P2P_DISCOVER: "on" };

async function ignoredBecause(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "network namespaces are part of Linux";
  if (Deno.uid() !== 0) return "only root may make network namespaces";
  const probe = `p2p-probe-${Deno.pid}`;
  const made = await output("ip", ["netns", "add", probe], ".").then(() => true, () => false);
  if (!made) return "network namespaces cannot be made here";
  await output("ip", ["netns", "delete", probe], ".");
  return undefined;
}

const ignored = await ignoredBecause();

/** Two machines that are connected by a cable. */
class TwoMachines implements AsyncDisposable {
  readonly names = ["a", "b"].map((name) => `p2p-${name}-${Deno.pid}`) as [string, string];

  static async connect(addresses: readonly [string, string] | undefined): Promise<TwoMachines> {
    const machines = new TwoMachines();
    const [a, b] = machines.names;
    await ip("netns", "add", a);
    await ip("netns", "add", b);
    // The kernel limits the names of interfaces to 15 characters.
    await ip("link", "add", "eth0", "netns", a, "type", "veth", "peer", "name", "eth0", "netns", b);
    for (const [i, name] of machines.names.entries()) {
      // Without duplicate address detection an IPv6 address can be used at once.
      await output("ip", [
        "netns",
        "exec",
        name,
        "sysctl",
        "-qw",
        "net.ipv6.conf.eth0.accept_dad=0",
      ], ".");
      for (const link of ["lo", "eth0"]) await ip("-n", name, "link", "set", link, "up");
      if (addresses) await ip("-n", name, "address", "add", addresses[i]!, "dev", "eth0");
    }
    for (const name of machines.names) await usableAddress(name);
    return machines;
  }

  /** Runs p2p on the first or the second machine. */
  on(index: 0 | 1, env: Record<string, string> = FOUND): RunOptions {
    return { program: ["ip", "netns", "exec", this.names[index], PROGRAM], env };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.names) await ip("netns", "delete", name);
  }
}

/** The kernel makes the address of the link when the cable carries, a moment later. */
async function usableAddress(name: string): Promise<void> {
  const usable = ["-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative"];
  while (!(await output("ip", ["-n", name, ...usable], ".")).includes("fe80:"));
}

async function ip(...args: string[]): Promise<void> {
  await output("ip", args, ".");
}

const BYTES = noise(3 * 1024 * 1024 + 7);

async function serveOn(world: CliFixture, options: RunOptions): Promise<void> {
  world.write("share/file.bin", BYTES);
  world.write("share/sub/small.txt", "small");
  const seed = world.startWith(options, "serve", world.path("share"));
  await seed.stdout.line(/^listening on /);
}

const networks = [
  { name: "IPv4", addresses: ["10.77.0.1/24", "10.77.0.2/24"] as const, seed: "10.77.0.1:7270" },
  { name: "IPv6 only", addresses: undefined, seed: "[fe80::" },
];
for (const { name, addresses, seed } of networks) {
  test(
    `p2p get --all without an address gets everything from a seed nearby (${name})`,
    async (world) => {
      await using machines = await TwoMachines.connect(addresses);
      await serveOn(world, machines.on(0));
      const ended = await world.p2pWith(machines.on(1), "get", "--all");
      assertCode(ended, 0);
      assertStringIncludes(ended.stderr, `found on this network: ${seed}`);
      assertEquals(world.files(), ["file.bin", "sub/small.txt"]);
      assertEquals(world.got("file.bin"), BYTES);
      const listed = await world.p2pWith(machines.on(1), "seeds", "--lan");
      assertCode(listed, 0);
      assertStringIncludes(listed.stdout, seed);
    },
    { ignored },
  );
}

test("p2p get says why a seed may be hidden where none announces itself", async (world) => {
  await using machines = await TwoMachines.connect(["10.77.0.1/24", "10.77.0.2/24"]);
  await serveOn(world, machines.on(0, { P2P_ANNOUNCE: "off" }));
  const ended = await world.p2pWith(machines.on(1), "get", "file.bin", "--give-up", "1s");
  assertCode(ended, 4);
  assertStringIncludes(ended.stderr, "no seed announced itself on this network. A firewall");
  const listed = await world.p2pWith(machines.on(1), "seeds", "--lan");
  assertStringIncludes(listed.stderr, "no seed announced itself on this network");
}, { ignored });
