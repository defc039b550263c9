import { assert, assertEquals } from "@std/assert";
import config from "../../../deno.json" with { type: "json" };
import { packageLicenses } from "../../../scripts/release/licenses.ts";

Deno.test("packageLicenses() has the licence of every package of npm in the program", async () => {
  const licenses = await packageLicenses();
  const direct = Object.values({ ...config.scopes["./core/"], ...config.scopes["./commands/"] });
  for (const specifier of direct) {
    const license = licenses.find(({ name }) => `npm:${name}` === specifier);
    assert(license && /permi(?:ssion|t)/i.test(license.text), specifier);
  }
  assertEquals(licenses.map(({ name }) => name).toSorted(), licenses.map(({ name }) => name));
});
