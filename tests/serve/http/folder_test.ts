/** Folders of the listing, their page, and the headers of archives. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { compareNames } from "../../../core/base/names.ts";
import { formatLink, parseLink } from "../../../core/base/link.ts";
import type { ListedFile } from "../../../core/protocol/listing.ts";
import { type FolderPage, renderFolderPage } from "../../../core/serve/http/folder_page.ts";
import { FolderView, sortEntries } from "../../../core/serve/http/folder_view.ts";
import { hostNamesOf } from "../../../core/serve/http/host_names.ts";
import { paddingOf, TAR_END, tarHeader } from "../../../core/serve/http/tar.ts";
import { contentTypeOf } from "../../../core/serve/http/content_types.ts";
import { property } from "../../base/property.ts";
import { test } from "../../support/test.ts";

function listing(names: readonly string[]): ListedFile[] {
  return [...new Set(names)].toSorted(compareNames).map((name, i) => ({
    name,
    size: i + 1,
    modified: 1000 * i,
  }));
}

const FILES = listing(["a", "a.b", "a/x", "a/y/z", "b/c", "\u{10ffff}", "a0", "\uffff"]);

test("FolderView shows files and folders once, with what is below a folder", () => {
  const { entries, more } = new FolderView(FILES, "").entries(100);
  assertEquals(more, false);
  assertEquals(entries.map(({ name, isFolder, files }) => [name, isFolder, files]), [
    ["a", false, 1],
    ["a.b", false, 1],
    ["a", true, 2],
    ["a0", false, 1],
    ["b", true, 1],
    ["\uffff", false, 1],
    ["\u{10ffff}", false, 1],
  ]);
  assertEquals(new FolderView(FILES, "a").bytes, entries[2]!.size);
  assertEquals(new FolderView(FILES, "a").entries(100).entries.map(({ name }) => name), ["x", "y"]);
});

test("FolderView knows a folder only by its whole name", () => {
  const known = (folder: string) => new FolderView(FILES, folder).exists;
  assertEquals(["", "a", "a/y", "b", "a.", "x", "a/x", "a/y/z"].map(known), [
    true,
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  assert(new FolderView([], "").exists);
});

const NAME = fc.array(fc.constantFrom("a", "b", "a.b", "a0", "é", "\u{1f600}"), {
  minLength: 1,
  maxLength: 4,
}).map((parts) => parts.join("/"));

property(
  "FolderView.entries() has the same entries page by page",
  fc.tuple(
    fc.array(NAME, { maxLength: 30 }),
    fc.constantFrom("", "a", "a/b"),
    fc.integer({ min: 1, max: 3 }),
  ),
  ([names, folder, size]) => {
    const view = new FolderView(listing(names), folder);
    const whole = view.entries(1000).entries;
    const paged = [];
    let after = "";
    for (;;) {
      const { entries, more } = view.entries(size, after);
      paged.push(...entries);
      const last = entries.at(-1);
      if (!more || !last) break;
      after = last.isFolder ? `${last.name}/` : last.name;
    }
    assertEquals(paged, whole);
    const files = whole.reduce((sum, entry) => sum + entry.files, 0);
    assertEquals(files, view.end - view.start);
    assertEquals(whole.reduce((sum, entry) => sum + entry.size, 0), view.bytes);
  },
);

test("sortEntries() puts folders first, and the largest or latest first when descending", () => {
  const { entries } = new FolderView(FILES, "").entries(100);
  const names = (key: "name" | "size" | "date", descending: boolean) =>
    sortEntries(entries, key, descending).map(({ name }) => name).slice(0, 3);
  assertEquals(names("name", false), ["a", "b", "a"]);
  assertEquals(names("name", true), ["b", "a", "\u{10ffff}"]);
  assertEquals(names("size", true), ["a", "b", "\u{10ffff}"]);
  assertEquals(names("date", false), ["a", "b", "a"]);
});

const PAGE: FolderPage = {
  folder: "sub",
  origin: "http://nas1:7270",
  wantsToken: false,
  files: 2,
  bytes: 3,
  entries: [],
  sorted: { key: "name", descending: false },
  next: undefined,
  first: undefined,
};

test("renderFolderPage() shows names as text, whatever they are", () => {
  const names = [
    "<script>alert(1)</script>",
    '"><img src=x>',
    "a\u202egpj.exe",
    "'&amp;",
    "javascript:alert(1)",
  ];
  const page = renderFolderPage({
    ...PAGE,
    folder: "<i>/b",
    entries: names.map((name) => ({ name, isFolder: false, size: 1, modified: 0, files: 1 })),
  });
  assertEquals(page.match(/<script|<img|<i>|\u202e|"javascript/g), null);
  assertStringIncludes(page, "&lt;script&gt;alert(1)&lt;/script&gt;");
  assertStringIncludes(page, 'href="./javascript%3Aalert%281%29"');
});

test("renderFolderPage() shows the p2p line, the link and the digest of a file that was hashed", () => {
  const id = "0123456789abcdef".repeat(4);
  const page = renderFolderPage({
    ...PAGE,
    entries: [{
      name: "a b.iso",
      isFolder: false,
      size: 1,
      modified: 0,
      files: 1,
      id,
      sha256: "ff",
    }],
  });
  const link = `http://nas1:7270/sub/a%20b.iso#id=${id.slice(0, 32)}`;
  assertStringIncludes(page, `value="p2p get ${link}"`);
  assertStringIncludes(page, `value="${link}"`);
  assertStringIncludes(page, 'value="ff"');
  assertEquals(parseLink(link).id, id.slice(0, 32));
});

test("renderFolderPage() works for a time that no date holds, and for an empty folder", () => {
  const entry = { name: "a", isFolder: false, size: 1, modified: 1e17, files: 1 };
  assert(!renderFolderPage({ ...PAGE, entries: [entry] }).includes("<time"));
  assertStringIncludes(renderFolderPage(PAGE), "no files");
});

property(
  "parseLink() reads what formatLink() writes",
  fc.tuple(
    NAME,
    fc.constantFrom("nas1", "::1", "10.0.0.1"),
    fc.integer({ min: 1, max: 65535 }),
    fc.boolean(),
  ),
  ([name, host, port, tls]) => {
    const address = { host, port, tls };
    const id = "ab".repeat(32);
    const link = formatLink(address, name, id);
    // A default port of the web is left out by the platform, and names no seed then.
    if (port === (tls ? 443 : 80)) return;
    assertEquals(parseLink(link), { name, seeds: [address], id: id.slice(0, 32) });
  },
);

test("tarHeader() describes names, sizes and times that do not fit by pax headers", () => {
  assertEquals(tarHeader({ name: "a".repeat(100), size: 1, modified: 0 }).length, 512);
  assertEquals(
    tarHeader({ name: `${"d".repeat(155)}/${"n".repeat(100)}`, size: 1, modified: 0 }).length,
    512,
  );
  for (
    const entry of [
      { name: "n".repeat(101), size: 1, modified: 0 },
      { name: "\u00fc", size: 1, modified: 0 },
      { name: "a", size: 8 * 1024 ** 3, modified: 0 },
    ]
  ) assertEquals(tarHeader(entry).length, 1536);
  const text = new TextDecoder().decode(tarHeader({ name: "a", size: 2 ** 40, modified: 0 }));
  assertStringIncludes(text, "22 size=1099511627776\n");
  assertEquals([paddingOf(0), paddingOf(1), paddingOf(512), paddingOf(513)], [0, 511, 0, 511]);
  assertEquals(TAR_END, new Uint8Array(1024));
});

test("contentTypeOf() lets no file of the folder run scripts", () => {
  for (const name of ["a.html", "a.HTM", "a.svg", "a.xhtml", "a.xml", "a.xsl", "b/feed.rss"]) {
    assert(contentTypeOf(name).policy?.startsWith("sandbox;"), name);
  }
  assertEquals(contentTypeOf("a.tar.gz"), { type: "application/gzip", policy: undefined });
  assertEquals(contentTypeOf("dir.html/x"), {
    type: "application/octet-stream",
    policy: undefined,
  });
});

test("hostNamesOf() has the names of the machine and those of the settings", () => {
  const names = hostNamesOf(
    { host: "Seed.example", httpHosts: ["A.example."], tls: undefined },
    "Nas1.lan",
  );
  assertEquals([...names], ["nas1.lan", "nas1", "seed.example", "a.example"]);
  assertEquals(hostNamesOf({ host: "::", httpHosts: [], tls: undefined }, undefined).size, 0);
});

test("hostNamesOf() has the names of the certificate", async () => {
  const cert = await Deno.readTextFile(new URL("../../support/tls/seed.pem", import.meta.url));
  const names = hostNamesOf({ host: "::", httpHosts: [], tls: { cert, key: "" } }, undefined);
  assertEquals([...names], ["localhost"]);
});
