import { assertEquals } from "@std/assert";
import { LruCache } from "../../core/base/lru_cache.ts";

Deno.test("LruCache evicts the least recently used entries when there are too many", () => {
  const removed: string[] = [];
  const onRemove = (value: number, key: string) => void removed.push(`${key}${value}`);
  const cache = new LruCache<string, number>({ maxSize: 2, onRemove });
  cache.set("a", 1);
  cache.set("b", 2);
  assertEquals(cache.get("a"), 1);
  cache.set("c", 3);
  assertEquals([...cache], [["a", 1], ["c", 3]]);
  cache.set("a", 4);
  cache.delete("c");
  cache.delete("none");
  assertEquals([cache.get("a"), cache.get("b"), cache.get("c")], [4, undefined, undefined]);
  assertEquals(removed, ["b2", "a1", "c3"]);
});

Deno.test("LruCache limits the sum of sizes, and keeps nothing that is larger", () => {
  const cache = new LruCache<string, string>({ maxSize: 5, sizeOf: ({ length }) => length });
  cache.set("a", "12");
  cache.set("b", "34");
  cache.set("c", "56");
  assertEquals([...cache], [["b", "34"], ["c", "56"]]);
  cache.set("b", "3456");
  assertEquals([...cache], [["b", "3456"]]);
  cache.set("d", "123456");
  assertEquals([...cache], []);
  cache.set("e", "12345");
  assertEquals([...cache], [["e", "12345"]]);
});
