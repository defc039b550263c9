import { assertEquals } from "@std/assert";
import { listJson, parseBucketPage } from "../../core/source/web_listing.ts";

Deno.test("listJson() reads JSON Lines, sorts them, and skips names that are not valid", async () => {
  const text = [
    '{"name": "b", "size": 2, "modified": 5}',
    '{"name": "../a", "size": 1, "modified": 0}',
    "",
    '{"name": "a/c", "size": 0, "modified": 0}',
  ].join("\n");
  assertEquals(await listJson(text), [
    { name: "a/c", size: 0, modified: 0 },
    { name: "b", size: 2, modified: 5 },
  ]);
});

for (const text of ["<html>", "[]", '{"name": "a"}', '{"name": "a", "size": -1, "modified": 0}']) {
  Deno.test(`listJson() takes ${text} for no listing`, async () => {
    assertEquals(await listJson(text), undefined);
  });
}

const entry = (key: string, size: string) =>
  `<Contents><Key>${key}</Key><LastModified>2033-05-18T03:33:20.000Z</LastModified>` +
  `<ETag>&quot;x&quot;</ETag><Size>${size}</Size></Contents>`;

Deno.test("parseBucketPage() reads keys, sizes and the next page", () => {
  const page = parseBucketPage(
    `<?xml version="1.0"?><ListBucketResult xmlns="x"><EncodingType>url</EncodingType>` +
      entry("a%2Fb+c%26d", "12") + entry("e&amp;f", "0") +
      `<NextContinuationToken>t&lt;1</NextContinuationToken></ListBucketResult>`,
  );
  const modified = Date.UTC(2033, 4, 18, 3, 33, 20);
  assertEquals(page, {
    files: [{ key: "a/b c&d", size: 12, modified }, { key: "e&f", size: 0, modified }],
    next: "t<1",
  });
});

Deno.test("parseBucketPage() skips entries that are not complete", () => {
  const xml =
    `<ListBucketResult><EncodingType>url</EncodingType>${entry("a", "x")}${
      entry("%ff", "1")
    }<Contents></Contents>` +
    `${entry("b", "3")}<Contents><Key>c</Key></ListBucketResult>`;
  assertEquals(parseBucketPage(xml)?.files.map(({ key }) => key), ["b"]);
});

Deno.test("parseBucketPage() takes keys as they are from a store that does not encode them", () => {
  const xml = `<ListBucketResult>${entry("a+b%2F&lt;", "1")}</ListBucketResult>`;
  assertEquals(parseBucketPage(xml)?.files.map(({ key }) => key), ["a+b%2F<"]);
});

for (const text of ["", "<html></html>", "<Error><Code>NoSuchBucket</Code></Error>"]) {
  Deno.test(`parseBucketPage() takes "${text}" for no page`, () => {
    assertEquals(parseBucketPage(text), undefined);
  });
}
