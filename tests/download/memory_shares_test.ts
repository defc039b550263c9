import { assertEquals } from "@std/assert";
import { MemoryShares } from "../../core/download/memory_shares.ts";

/** Joins, and counts the calls of `onChange`. */
function joinAll(shares: MemoryShares, ...wanted: number[]) {
  return wanted.map((each) => {
    const member = { changes: 0, share: shares.join(each, () => member.changes++) };
    return member;
  });
}

const bytesOf = (members: ReturnType<typeof joinAll>) => members.map(({ share }) => share.bytes);

Deno.test("MemoryShares gives a single task all that it wants, up to the budget", () => {
  assertEquals(bytesOf(joinAll(new MemoryShares(48), 100)), [48]);
  assertEquals(bytesOf(joinAll(new MemoryShares(48), 5)), [5]);
});

Deno.test("MemoryShares divides what small tasks leave equally among the others", () => {
  const members = joinAll(new MemoryShares(48), 100, 4, 60);
  assertEquals(bytesOf(members), [22, 4, 22]);
});

Deno.test("MemoryShares gives the share of a task that ended to those that want it, and tells them", () => {
  const members = joinAll(new MemoryShares(48), 100, 100, 8);
  const before = members.map(({ changes }) => changes);
  members[0]!.share[Symbol.dispose]();
  // A second time changes nothing.
  members[0]!.share[Symbol.dispose]();
  assertEquals(bytesOf(members.slice(1)), [40, 8]);
  assertEquals(members.map(({ changes }, i) => changes - before[i]!), [0, 1, 0]);
});

Deno.test("MemoryShares never gives more than the budget, whoever comes and goes", () => {
  const shares = new MemoryShares(1000);
  let members: ReturnType<typeof joinAll> = [];
  for (let step = 1; step < 500; step++) {
    if (step % 3 === 0) members.splice((step * 7) % members.length, 1)[0]!.share[Symbol.dispose]();
    else members = [...members, ...joinAll(shares, (step * 7919) % 1500)];
    const sum = bytesOf(members).reduce((total, bytes) => total + bytes, 0);
    assertEquals(sum <= 1000, true, `step ${step}: ${sum}`);
  }
});
