/** The rules of each platform for names and paths, tested on any platform. */
import { assertEquals } from "@std/assert";
import { isInside, isServable, omitReason, type Root } from "../../../core/serve/files/root.ts";

const WINDOWS: Root = { path: "C:\\shared", hidden: false, platform: "windows" };
const UNIX: Root = { path: "/shared", hidden: false, platform: "linux" };

const names = [
  // On Windows these name a stream, a drive or another file.
  { name: "a.txt::$DATA", windows: false, unix: true },
  { name: "a.txt:stream", windows: false, unix: true },
  { name: "C:/secret", windows: false, unix: true },
  { name: "sub./deep.txt", windows: false, unix: true },
  { name: "sub /deep.txt", windows: false, unix: true },
  { name: "deep.txt.", windows: false, unix: true },
  { name: "con", windows: false, unix: true },
  { name: "sub/nul", windows: false, unix: true },
  { name: "com1.tar.gz", windows: false, unix: true },
  { name: "conin$", windows: false, unix: true },
  { name: "console", windows: true, unix: true },
  { name: "what?.txt", windows: false, unix: true },
  { name: "a.txt", windows: true, unix: true },
  { name: "sub/a b.txt", windows: true, unix: true },
  { name: "..\\secret", windows: false, unix: false },
  { name: ".env", windows: false, unix: false },
  { name: "sub/.git/config", windows: false, unix: false },
];
for (const { name, windows, unix } of names) {
  Deno.test(`omitReason() allows ${JSON.stringify(name)}: ${windows} on Windows, ${unix} on Unix`, () => {
    const allowed = [WINDOWS, UNIX].map((root) => omitReason(root, name) === undefined);
    assertEquals(allowed, [windows, unix]);
  });
}

const paths = [
  { folder: WINDOWS, path: "C:\\shared\\sub\\a.txt", want: true },
  { folder: WINDOWS, path: "C:\\shared2\\a.txt", want: false },
  { folder: WINDOWS, path: "C:\\secret.txt", want: false },
  { folder: WINDOWS, path: "D:\\shared\\a.txt", want: false },
  { folder: WINDOWS, path: "C:\\shared\\a.p2p-part", want: false },
  // The request was for GIT~1.
  { folder: WINDOWS, path: "C:\\shared\\.git\\config", want: false },
  { folder: { ...WINDOWS, hidden: true }, path: "C:\\shared\\.git\\config", want: true },
  { folder: { ...WINDOWS, path: "C:\\" }, path: "C:\\a.txt", want: true },
  { folder: UNIX, path: "/shared/sub/a.txt", want: true },
  { folder: UNIX, path: "/shared2/a.txt", want: false },
  { folder: UNIX, path: "/shared\\a.txt", want: false },
  // A link set by the owner leads there.
  { folder: UNIX, path: "/shared/.config/a", want: true },
  { folder: { ...UNIX, path: "/" }, path: "/a.txt", want: true },
];
for (const { folder, path, want } of paths) {
  const { path: root, platform, hidden } = folder;
  const kind = `${hidden ? "hidden files of " : ""}${root} on ${platform}`;
  Deno.test(`isServable() says ${want} of ${path} when it serves ${kind}`, () => {
    assertEquals(isServable(folder, path), want);
  });
}

Deno.test("isInside() counts the folder itself as inside", () => {
  assertEquals(isInside("C:\\shared", "C:\\shared", "windows"), true);
  assertEquals(isInside("/shared", "/shared", "darwin"), true);
});
