import { assertEquals } from "@std/assert";
import {
  parseCpuModel,
  parseFilesystem,
  parseHighWater,
  parseMemory,
  parseStat,
} from "../../../scripts/bench/proc.ts";

const statOf = (name: string) =>
  `4711 (${name}) S 815 4711 815 0 -1 4194304 100 0 0 0 123 45 6 7 20 0 1 0 1148010 3133440 406`;

const names = ["nginx", "a name of words", "p2p (serve) S 1 2", ") S 99"];
for (const name of names) {
  Deno.test(`parseStat() reads parent and CPU time when the process is called "${name}"`, () => {
    // 123 + 45 ticks; those of children are not in it.
    assertEquals(parseStat(statOf(name)), { parent: 815, cpuMs: 1680 });
  });
}

Deno.test("parseHighWater() reads the most resident memory", () => {
  const status = "Name:\tp2p\nVmPeak:\t  999 kB\nVmHWM:\t   81920 kB\nVmRSS:\t   70000 kB\n";
  assertEquals(parseHighWater(status), 81_920);
});

Deno.test("parseHighWater() gives 0 when the process has no memory any more", () => {
  assertEquals(parseHighWater("Name:\tp2p\nState:\tZ (zombie)\n"), 0);
});

Deno.test("parseCpuModel() gives the first processor's", () => {
  const cpuinfo = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n\nmodel name\t: Another\n";
  assertEquals(parseCpuModel(cpuinfo), "A CPU @ 2 GHz");
  assertEquals(parseCpuModel("processor\t: 0\n"), undefined);
});

Deno.test("parseMemory() gives bytes", () => {
  const meminfo = "MemTotal:       1000 kB\nMemFree:         10 kB\nMemAvailable:    600 kB\n";
  assertEquals(parseMemory(meminfo), { total: 1_024_000, available: 614_400 });
});

const MOUNTS = [
  "/dev/vda / ext4 rw,relatime 0 0",
  "tmpfs /tmp tmpfs rw 0 0",
  "/dev/vdb /tmp/my\\040disk xfs rw 0 0",
  "/dev/vdc /over ext4 rw 0 0",
  "tmpfs /over tmpfs rw 0 0",
  "",
].join("\n");
const places = [
  { path: "/home/a", want: "ext4" },
  { path: "/tmp", want: "tmpfs" },
  { path: "/tmp/a/b", want: "tmpfs" },
  { path: "/tmpa", want: "ext4" },
  { path: "/tmp/my disk/a", want: "xfs" },
  { path: "/over/a", want: "tmpfs" },
];
for (const { path, want } of places) {
  Deno.test(`parseFilesystem() gives ${want} for ${path}`, () => {
    assertEquals(parseFilesystem(MOUNTS, path), want);
  });
}

Deno.test("parseFilesystem() gives nothing when there are no mounts", () => {
  assertEquals(parseFilesystem("", "/tmp"), undefined);
});
