import { assertEquals } from "@std/assert";
import { Admission, clientOf } from "../../core/serve/admission.ts";
import { test } from "./support.ts";

const isPlace = (place: Disposable | string) => typeof place !== "string";

test("Admission.admit() refuses when one address, or all together, have too many", () => {
  const admission = new Admission({ maxConnections: 3, clientConnections: 2 });
  const asked = ["a", "a", "a", "b", "b", "c"];
  const answers = asked.map((client) => isPlace(admission.admit(client)));
  assertEquals(answers, [true, true, false, true, false, false]);
});

test("Admission.admit() gives a place again when it was freed, once", () => {
  const admission = new Admission({ maxConnections: 2, clientConnections: 1 });
  const place = admission.admit("a") as Disposable;
  admission.admit("b");
  place[Symbol.dispose]();
  place[Symbol.dispose]();
  assertEquals(isPlace(admission.admit("a")), true);
  assertEquals(isPlace(admission.admit("c")), false);
});

test("clientOf() knows an IPv4 client on a dual-stack listener", () => {
  assertEquals(clientOf("::ffff:10.0.0.1"), "10.0.0.1");
  assertEquals(clientOf("2001:db8::1"), "2001:db8::1");
  assertEquals(clientOf("10.0.0.1"), "10.0.0.1");
});
