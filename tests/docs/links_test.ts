/** Every document of the tree stands on its own: what it refers to is in the tree. */
import { assert, assertEquals } from "@std/assert";
import { dirname, join, normalize } from "@std/path";
import { anchorsOf, codeOf, filesOf, linksOf, textOf, TREE } from "./pages.ts";

const PAGES = filesOf(".md");

Deno.test("there are pages, and links to follow in them", () => {
  assert(PAGES.includes("README.md") && PAGES.includes(".github/SECURITY.md"), PAGES.join(" "));
  assert(linksOf(textOf("README.md")).length >= 8);
});

Deno.test("a link to a missing file, a missing heading or out of the repository is broken", () => {
  const links = ["missing.md", "README.md#nowhere", "#nowhere", "../x/README.md", "/etc/hosts"];
  assertEquals(links.filter((link) => resolves("README.md", link)), []);
  assertEquals(resolves(".github/SECURITY.md", "../README.md#quick-start"), true);
});

for (const page of PAGES) {
  Deno.test(`every link of ${page} leads to a file and a heading that are there`, () => {
    const broken = linksOf(textOf(page)).filter((link) => !resolves(page, link));
    assertEquals(broken, []);
  });

  Deno.test(`every file that ${page} names is there`, () => {
    const missing = codeOf(textOf(page)).filter(isPath).filter((path) => !isFound(page, path));
    assertEquals(missing, []);
  });

  Deno.test(`every task that ${page} names is in deno.json`, () => {
    const { tasks } = JSON.parse(textOf("deno.json"));
    const named = textOf(page).matchAll(/\bdeno(?:@[\d.]+)? task ([a-z][a-z0-9-]*)/g);
    const unknown = Array.from(named, ([, task]) => task!).filter((task) => !(task in tasks));
    assertEquals(unknown, []);
  });
}

Deno.test("CONTRIBUTING describes every task of deno.json", () => {
  const { tasks } = JSON.parse(textOf("deno.json"));
  const described = Array.from(
    textOf(".github/CONTRIBUTING.md").matchAll(/^\| (`[^|]+) \|/gm),
    ([, cell]) => Array.from(cell!.matchAll(/`([a-z0-9-]+)/g), ([, task]) => task!),
  ).flat();
  assertEquals(Object.keys(tasks).filter((task) => !described.includes(task)), []);
});

Deno.test("every page that a comment in the sources names is there", () => {
  const missing = filesOf(".ts", ".yml", ".sh", ".ps1", ".py").flatMap((file) =>
    textOf(file).split("\n")
      .filter((line) => /^\s*(\/?\*|\/\/|#|""")/.test(line))
      .flatMap((line) => line.match(/[\w./-]+\.md\b/g) ?? [])
      .filter((page) => !isFound(file, page))
      .map((page) => `${file}: ${page}`)
  );
  assertEquals(missing, []);
});

/** Whether the target of a link in `page` is there. Other hosts are not asked. */
function resolves(page: string, link: string): boolean {
  if (/^(https|mailto):/.test(link)) return URL.canParse(link);
  const [path = "", anchor] = link.split("#", 2);
  const target = path === "" ? page : normalize(join(dirname(page), decodeURI(path)));
  if (target.startsWith("..") || target.startsWith("/")) return false;
  if (!exists(target)) return false;
  return anchor === undefined || anchorsOf(textOf(target)).has(anchor);
}

/** Whether this text between backquotes is a path of one of our files or folders, without gaps to fill in. */
function isPath(code: string): boolean {
  return /^[\w.-]+(\/[\w.-]+)+$/.test(code) && /\.(ts|md|yml|sh|ps1|py)$/.test(code);
}

/** Paths are written from the repository's folder or from the page's own. */
function isFound(page: string, path: string): boolean {
  return exists(path) || exists(join(dirname(page), path));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(join(TREE, path));
    return true;
  } catch {
    return false;
  }
}
