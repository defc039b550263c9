import { assertEquals, assertThrows } from "@std/assert";
import { DiskFullError } from "../../core/store/disk.ts";
import { DiskSpace, type Volume } from "../../core/store/free_space.ts";

const MIB = 1024 * 1024;

/** Two volumes of 50 MiB; what is written to them is taken from `free`. */
function volumes(): { free: Map<string, number>; of: (folder: string) => Volume } {
  const free = new Map([["/a", 50 * MIB], ["/b", 50 * MIB]]);
  return { free, of: (id) => ({ id, free: free.get(id)!, size: 50 * MIB }) };
}

Deno.test("DiskSpace.reserve() admits two of three downloads when two fit", () => {
  const { free, of } = volumes();
  const space = new DiskSpace(of);
  using first = space.reserve("/a/1", 20 * MIB);
  using second = space.reserve("/a/2", 20 * MIB);
  assertThrows(
    () => space.reserve("/a/3", 20 * MIB),
    DiskFullError,
    "not enough disk space (20 MiB needed, 10 MiB free)",
  );
  // Bytes that are written move from the reservations to the disk: nothing changes for the third.
  for (const reservation of [first, second]) {
    for (let piece = 0; piece < 20; piece++) {
      free.set("/a", free.get("/a")! - MIB);
      reservation.written(MIB);
      assertEquals([space.fits("/a", 10 * MIB), space.fits("/a", 10 * MIB + 1)], [true, false]);
    }
  }
});

Deno.test("SpaceReservation releases the unwritten bytes when it is disposed", () => {
  const { free, of } = volumes();
  const space = new DiskSpace(of);
  {
    using reservation = space.reserve("/a/1", 40 * MIB);
    free.set("/a", 45 * MIB);
    reservation.written(5 * MIB);
    assertEquals(space.fits("/a", 20 * MIB), false);
  }
  assertEquals([space.fits("/a", 45 * MIB), space.fits("/a", 45 * MIB + 1)], [true, false]);
});

Deno.test("DiskSpace.reserve() counts each volume by itself, and ignores unknown ones", () => {
  const space = new DiskSpace(volumes().of);
  using _first = space.reserve("/a/1", 50 * MIB);
  assertEquals([space.fits("/a", 1), space.fits("/b", 50 * MIB)], [false, true]);
  const blind = new DiskSpace(() => undefined);
  using _huge = blind.reserve("/a/1", 2 ** 52);
  assertEquals(blind.fits("/a", 2 ** 52), true);
});

Deno.test("SpaceReservation.written() releases no more bytes than were reserved", () => {
  const space = new DiskSpace(volumes().of);
  using other = space.reserve("/a/1", 10 * MIB);
  using reservation = space.reserve("/a/2", 10 * MIB);
  reservation.written(30 * MIB);
  assertEquals([space.fits("/a", 40 * MIB), space.fits("/a", 40 * MIB + 1)], [true, false]);
  other.written(0);
});

Deno.test("DiskSpace.couldFit() compares with the size of the volume", () => {
  const space = new DiskSpace(volumes().of);
  using _all = space.reserve("/a/1", 50 * MIB);
  assertEquals([space.couldFit("/a", 50 * MIB), space.couldFit("/a", 50 * MIB + 1)], [true, false]);
  assertEquals(new DiskSpace(() => undefined).couldFit("/a", 2 ** 52), true);
});
