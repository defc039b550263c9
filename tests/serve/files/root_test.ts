/** What a platform makes of names and paths, on any platform. */
import { assertEquals } from "@std/assert";
import { isInside, isOffered, isServable, type Root } from "../../../core/serve/files/root.ts";

const WINDOWS: Root = { root: "C:\\shared", hidden: false, platform: "windows" };
const UNIX: Root = { root: "/shared", hidden: false, platform: "linux" };

const names = [
  // A stream of the file, a short name's tail, a device: none is a name of a file there.
  { name: "a.txt::$DATA", windows: false, unix: true },
  { name: "a.txt:stream", windows: false, unix: true },
  { name: "C:/secret", windows: false, unix: true },
  { name: "sub./deep.txt", windows: false, unix: true },
  { name: "sub /deep.txt", windows: false, unix: true },
  { name: "deep.txt.", windows: false, unix: true },
  { name: "what?.txt", windows: false, unix: true },
  { name: "a.txt", windows: true, unix: true },
  { name: "sub/a b.txt", windows: true, unix: true },
  { name: "..\\secret", windows: false, unix: false },
  { name: ".env", windows: false, unix: false },
  { name: "sub/.git/config", windows: false, unix: false },
];
for (const { name, windows, unix } of names) {
  Deno.test(`offers() says ${windows} of ${JSON.stringify(name)} on Windows, ${unix} on Unix`, () => {
    assertEquals([isOffered(WINDOWS, name), isOffered(UNIX, name)], [windows, unix]);
  });
}

const paths = [
  { folder: WINDOWS, path: "C:\\shared\\sub\\a.txt", want: true },
  { folder: WINDOWS, path: "C:\\shared2\\a.txt", want: false },
  { folder: WINDOWS, path: "C:\\secret.txt", want: false },
  { folder: WINDOWS, path: "D:\\shared\\a.txt", want: false },
  { folder: WINDOWS, path: "C:\\shared\\a.p2p-part", want: false },
  // GIT~1 was asked for.
  { folder: WINDOWS, path: "C:\\shared\\.git\\config", want: false },
  { folder: { ...WINDOWS, hidden: true }, path: "C:\\shared\\.git\\config", want: true },
  { folder: { ...WINDOWS, root: "C:\\" }, path: "C:\\a.txt", want: true },
  { folder: UNIX, path: "/shared/sub/a.txt", want: true },
  { folder: UNIX, path: "/shared2/a.txt", want: false },
  { folder: UNIX, path: "/shared\\a.txt", want: false },
  // A link of the owner's led there.
  { folder: UNIX, path: "/shared/.config/a", want: true },
  { folder: { ...UNIX, root: "/" }, path: "/a.txt", want: true },
];
for (const { folder, path, want } of paths) {
  const { root, platform, hidden } = folder;
  const kind = `${hidden ? "hidden files of " : ""}${root} on ${platform}`;
  Deno.test(`mayGiveOut() says ${want} of ${path} when it serves ${kind}`, () => {
    assertEquals(isServable(folder, path), want);
  });
}

Deno.test("isInside() takes the folder itself for inside", () => {
  assertEquals(isInside("C:\\shared", "C:\\shared", "windows"), true);
  assertEquals(isInside("/shared", "/shared", "darwin"), true);
});
