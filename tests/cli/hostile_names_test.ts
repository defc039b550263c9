import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type CliFixture, ON_UNIX, test } from "./harness.ts";
import { SECRET } from "./hostile_client.ts";
import { AttackFixture, GOOD } from "./attack_fixture.ts";
import { symlink } from "../support/platform.ts";

const text = (name: string) => new TextEncoder().encode(name);
const OUTSIDE = `outside/${SECRET}.txt`;

/** Names that lead out, or would on some system, or after one decoding too many. */
function evilNames(world: CliFixture): Uint8Array[] {
  const spellings = [
    ..."..,../,../..,./..,a/../..,a/../../,.,./,/,//,~,~root,/etc/passwd,//etc/passwd".split(","),
    `../${OUTSIDE}`,
    `sub/../../${OUTSIDE}`,
    `${GOOD}/../../${OUTSIDE}`,
    `./../${OUTSIDE}`,
    `sub//../../${OUTSIDE}`,
    `....//${OUTSIDE}`,
    `..;/${OUTSIDE}`,
    world.path(OUTSIDE),
    `file://${world.path(OUTSIDE)}`,
    `..\\${OUTSIDE.replace("/", "\\")}`,
    `sub\\..\\..\\outside`,
    `%2e%2e/${OUTSIDE}`,
    `%2e%2e%2f${OUTSIDE}`,
    `..%2f${OUTSIDE}`,
    `%252e%252e%252f${OUTSIDE}`,
    `..%c0%af${OUTSIDE}`,
    `．．/${OUTSIDE}`, // fullwidth dots
    `‥/${OUTSIDE}`, // a two dot leader
    `..／${OUTSIDE}`, // a fullwidth slash
    `..∕${OUTSIDE}`,
    `..\u200b/${OUTSIDE}`,
    `${GOOD}\0`,
    `${GOOD}\0.txt`,
    `../${OUTSIDE}\0${GOOD}`,
    `${GOOD}/`,
    `/${GOOD}`,
    `./${GOOD}`,
    `sub/./a.txt`,
    `sub//a.txt`,
    `${GOOD}\t`,
    `${GOOD}\x1b[31m`,
    ..."CON,NUL,AUX,COM1,LPT1,con.txt,C:,C:\\,C:/Windows/win.ini,\\\\server\\share\\f".split(","),
    `${GOOD}:stream`,
    `${GOOD}::$DATA`,
    "GIT~1/config",
    ".git/config",
    ".env",
    "sub/.hidden",
    "x.p2p-part",
    "X.P2P-PART",
    "y.p2p-journal/z",
    "/proc/self/environ",
    "proc/self/fd/0",
    "/dev/zero",
    "a".repeat(1025),
    "a/".repeat(512) + "aa",
    "é".repeat(513),
    "a".repeat(256),
    "a".repeat(4000),
    "a".repeat(9000),
    "../".repeat(300) + OUTSIDE,
    "sub",
    "",
    " ",
    `${GOOD} `,
    ` ${GOOD}`,
    "link-to-file",
    "link-to-folder/" + SECRET + ".txt",
    "link-to-root/etc/passwd",
    "link-to-link",
    "link-to-device",
    "link-to-part",
    "link-to-itself",
    "link-up/" + OUTSIDE,
    `sub/link-by-detour/${SECRET}.txt`,
    "pipe",
    "socket",
  ].map(text);
  const raw = [
    [0xc0, 0xae, 0xc0, 0xae, 0x2f], // overlong dots
    [0x2e, 0x2e, 0xc0, 0xaf], // an overlong slash
    [0x2e, 0x2e, 0xe0, 0x80, 0xaf],
    [0x2e, 0x2e, 0xf0, 0x80, 0x80, 0xaf],
    [0xed, 0xa0, 0x80],
    [0xff, 0xfe],
  ].map((bytes) => Uint8Array.from([...bytes, ...text(OUTSIDE)]));
  return [...spellings, ...raw];
}

function layTraps(world: CliFixture): void {
  for (const name of [".git/config", ".env", "sub/.hidden", "x.p2p-part", "y.p2p-journal/z"]) {
    world.write(`share/${name}`, SECRET);
  }
  world.write("share/sub/a.txt", "content\n");
  const links = {
    "link-to-file": world.path(OUTSIDE),
    "link-to-folder": world.path("outside"),
    "link-to-root": "/",
    "link-to-link": "link-to-file",
    "link-to-device": "/dev/zero",
    "link-to-part": "x.p2p-part",
    "link-to-itself": "link-to-itself",
    "link-up": "..",
    "sub/link-by-detour": "../../share/../outside",
  };
  for (const [name, target] of Object.entries(links)) {
    symlink(target, world.path("share", name));
  }
  const { success } = new Deno.Command("mkfifo", { args: [world.path("share/pipe")] }).outputSync();
  assert(success, "a pipe in the folder");
}

test("p2p serve answers no name that leads out, however it is spelled", async (world) => {
  Deno.mkdirSync(world.path("share"));
  layTraps(world);
  using _socket = Deno.listen({ transport: "unix", path: world.path("share/socket") });
  await using fixture = await AttackFixture.start(world, "--client-connections", "200");
  const names = evilNames(world);
  const faults = await Promise.all(names.map((name) => faultsOf(fixture, name)));
  assertEquals(faults.flat(), []);
  await fixture.assertUnharmed();
}, ON_UNIX);

/** What is wrong with the replies to every request with that name, in both dialects. */
async function faultsOf(fixture: AttackFixture, name: Uint8Array): Promise<string[]> {
  const shown = new TextDecoder("latin1").decode(name).slice(0, 60);
  const faults: string[] = [];
  for (const [verb, rest] of [["FILESIZE", ""], ["MANIFEST", ""], ["DOWNLOAD", "|0|10"]] as const) {
    const reply = await ask(fixture, text(`HELLO 2\n${verb} `), name, text(`${rest}\nBYE\n`));
    const [, answer, bye, nothing] = reply.split("\n");
    const over = answer!.startsWith("ERROR:TOO_LONG ") ? "" : "OK 0";
    if (!answer!.startsWith("ERROR:") || bye !== over || (nothing ?? "") !== "") {
      faults.push(`${verb} ${shown}: ${reply}`);
    }
  }
  const listed = await ask(fixture, text("HELLO 2\nLIST "), name, text("\nBYE\n"));
  const names = listed.split("\n").flatMap((line) => line.match(/"name":"([^"]*)"/)?.[1] ?? []);
  const others = names.filter((one) => one !== GOOD && one !== "sub/a.txt");
  if (others.length > 0) faults.push(`LIST ${shown}: ${others}`);
  const size = await ask(fixture, text("FILESIZE "), name, text("\n"));
  // What is no text at all is not worth an answer.
  if (size !== "" && !size.startsWith("ERROR:")) faults.push(`one-shot FILESIZE ${shown}: ${size}`);
  const body = await ask(fixture, text("DOWNLOAD "), name, text("|0\n"));
  if (body !== "") faults.push(`one-shot DOWNLOAD ${shown}: ${body}`);
  return faults;
}

async function ask(fixture: AttackFixture, ...parts: Uint8Array[]): Promise<string> {
  const attacker = await fixture.attacker();
  await attacker.send(Uint8Array.from(parts.flatMap((part) => [...part])));
  attacker.halfClose();
  const reply = await attacker.rest();
  assert(!attacker.leaked, `a secret came: ${reply}`);
  return reply;
}

const SWAPS = 1000;

test(
  "p2p serve gives out nothing through links that take the place of files while they are asked for",
  async (world) => {
    world.write("share/dir/swapped.txt", "x".repeat(SECRET.length * 100));
    world.write("share/file.txt", "x".repeat(SECRET.length * 100));
    await using fixture = await AttackFixture.start(world);
    Deno.copyFileSync(world.path(OUTSIDE), world.path("outside/swapped.txt"));
    const attacker = await fixture.attacker();
    await attacker.send("HELLO 2\n");
    attacker.listen();
    let over = false;
    const swapping = swapAgainAndAgain(world, () => over);
    let answers = 1;
    try {
      for (let i = 0; i < SWAPS; i++) {
        const length = SECRET.length * 100;
        await attacker.send(
          `DOWNLOAD dir/swapped.txt|0|${length}\nDOWNLOAD file.txt|0|${length}\n` +
            "MANIFEST dir/swapped.txt\nFILESIZE file.txt\nLIST\nPING\n",
        );
        answers++;
        // The last reply of each round is the only one that says so.
        await attacker.until(({ bytes, text }) =>
          bytes > 200_000 || count(text, "\nOK 0\n") >= answers - 1
        );
      }
    } finally {
      over = true;
      await swapping;
    }
    assert(attacker.open, "the seed stayed");
    await fixture.assertUnharmed();
  },
  ON_UNIX,
);

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** Folder and file become links that lead out, and come back. */
async function swapAgainAndAgain(world: CliFixture, over: () => boolean): Promise<void> {
  const [dir, file] = [world.path("share/dir"), world.path("share/file.txt")];
  while (!over()) {
    await Deno.rename(dir, `${dir}~`);
    await Deno.symlink(world.path("outside"), dir);
    await Deno.rename(file, `${file}~`);
    await Deno.symlink(join(world.path("outside"), "swapped.txt"), file);
    await Deno.remove(dir);
    await Deno.rename(`${dir}~`, dir);
    await Deno.remove(file);
    await Deno.rename(`${file}~`, file);
  }
}
