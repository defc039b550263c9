import { assertEquals, assertFalse, assertInstanceOf } from "@std/assert";
import * as errors from "../../core/base/errors.ts";
import { plainReasonOf, reasonOf } from "../../core/base/errors.ts";

const cases = [
  { error: new errors.UsageError("m"), name: "UsageError", code: "usage", retryable: false },
  {
    error: new errors.NotFoundError("m"),
    name: "NotFoundError",
    code: "not-found",
    retryable: false,
  },
  {
    error: new errors.UnreachableError("m"),
    name: "UnreachableError",
    code: "unreachable",
    retryable: true,
  },
  { error: new errors.TimeoutError("m"), name: "TimeoutError", code: "timeout", retryable: true },
  { error: new errors.BusyError("m", 5), name: "BusyError", code: "busy", retryable: true },
  { error: new errors.AuthError("m"), name: "AuthError", code: "auth", retryable: false },
  {
    error: new errors.ProtocolError("m"),
    name: "ProtocolError",
    code: "protocol",
    retryable: false,
  },
  { error: new errors.CorruptError("m"), name: "CorruptError", code: "corrupt", retryable: false },
  { error: new errors.ChangedError("m"), name: "ChangedError", code: "changed", retryable: true },
  { error: new errors.DiskError("m"), name: "DiskError", code: "disk", retryable: false },
  {
    error: new errors.ConflictError("m"),
    name: "ConflictError",
    code: "conflict",
    retryable: false,
  },
] as const;
for (const { error, name, code, retryable } of cases) {
  Deno.test(`${name} reports its name, its code, and whether to try again`, () => {
    assertInstanceOf(error, errors.P2pError);
    assertEquals({ name: error.name, code: error.code, retryable: error.retryable }, {
      name,
      code,
      retryable,
    });
  });
}

Deno.test("P2pError keeps cause and problem when they are given", () => {
  const cause = new Error("disk");
  const error = new errors.DiskError("m", { cause, problem: "disk-full" });
  assertEquals([error.message, error.cause, error.problem], ["m", cause, "disk-full"]);
});

Deno.test("P2pError has neither cause nor problem when none is given", () => {
  const error = new errors.DiskError("m", { problem: undefined });
  assertFalse("cause" in error);
  assertEquals(error.problem, undefined);
});

const reasons = [
  { thrown: new RangeError("too far"), want: "too far" },
  { thrown: "text", want: "text" },
  { thrown: undefined, want: "undefined" },
  { thrown: null, want: "null" },
  { thrown: 7, want: "7" },
];
for (const { thrown, want } of reasons) {
  Deno.test(`reasonOf() is "${want}" when ${String(thrown)} was thrown`, () => {
    assertEquals(reasonOf(thrown), want);
  });
}

const plain = [
  { said: "Connection refused (os error 111)", want: "connection refused" },
  {
    said: "Permission denied (os error 13): open '/Home/A'",
    want: "permission denied",
  },
  {
    said: "The target machine actively refused it. (os error 10061)",
    want: "the target machine actively refused it",
  },
  { said: "OS Error 10048", want: "OS Error 10048" },
  { said: 'failed for "/Home/A"', want: 'failed for "/Home/A"' },
];
for (const { said, want } of plain) {
  Deno.test(`plainReasonOf() is "${want}" when the system said "${said}"`, () => {
    assertEquals(plainReasonOf(new Error(said)), want);
  });
}
