import { assert, assertEquals, assertFalse } from "@std/assert";
import type { Greeting } from "../../core/protocol/greeting.ts";
import { GreetingMemory } from "../../core/source/greeting_memory.ts";

const GREETING: Greeting = {
  agent: "x",
  nonce: "0123456789abcdef".repeat(2),
  auth: "none",
  maxLength: 1000,
  maxInflight: 16,
  features: ["read"],
};

Deno.test("GreetingMemory recalls a greeting without its nonce", () => {
  const memory = new GreetingMemory();
  assertEquals(memory.recall("a:1"), undefined);
  memory.keep("a:1", GREETING);
  assertEquals(memory.recall("a:1"), { ...GREETING, nonce: "0".repeat(32) });
  assertEquals(memory.recall("b:1"), undefined);
  memory.forget("a:1");
  assertEquals(memory.recall("a:1"), undefined);
});

Deno.test("GreetingMemory tells what changed since it was written", () => {
  const memory = new GreetingMemory();
  memory.forget("a:1");
  assertFalse(memory.changed);
  memory.keep("a:1", GREETING);
  assert(memory.changed);
  memory.entries();
  memory.keep("a:1", { ...GREETING, nonce: "f".repeat(32) });
  assertFalse(memory.changed);
  memory.keep("a:1", { ...GREETING, maxInflight: 64 });
  assert(memory.changed);
});

Deno.test("GreetingMemory is bounded: it forgets the seed that was used least recently", () => {
  const memory = new GreetingMemory();
  for (let i = 0; i < 256; i++) memory.keep(`seed${i}:1`, GREETING);
  memory.recall("seed0:1");
  memory.keep("new:1", GREETING);
  assertEquals(memory.entries().length, 256);
  assert(memory.recall("seed0:1") && memory.recall("new:1"));
  assertEquals(memory.recall("seed1:1"), undefined);
});

Deno.test("GreetingMemory does not keep a greeting with very many features", () => {
  const memory = new GreetingMemory();
  memory.keep("a:1", { ...GREETING, features: Array.from({ length: 200 }, (_, i) => `f${i}`) });
  assertEquals(memory.recall("a:1"), undefined);
});

Deno.test("GreetingMemory takes what another process wrote, unless it knows better", () => {
  const earlier = new GreetingMemory();
  earlier.keep("a:1", GREETING);
  earlier.keep("b:1", GREETING);
  const memory = new GreetingMemory();
  memory.keep("b:1", { ...GREETING, maxInflight: 64 });
  memory.add([...earlier.entries(), ["c:1", "nonsense"], ["d:1", "HELLO 2 " + "x".repeat(600)]]);
  assertEquals(memory.recall("a:1")?.maxInflight, 16);
  assertEquals(memory.recall("b:1")?.maxInflight, 64);
  assertEquals([memory.recall("c:1"), memory.recall("d:1")], [undefined, undefined]);
});
