/** The installers as they lie beside the archives of a release: they know where it is published. */

/** As they stand in the sources, knowing no place. */
const NOWHERE = [/^RELEASES=''$/m, /^\$Releases = ''$/m];
/** Nothing that a shell could take for more than a text. */
const ADDRESS = /^https:\/\/[A-Za-z0-9.:/_-]+\/releases$/;

/** @param releases the address of the page of all releases. @throws {Error} */
export function installerFor(releases: string, script: string): string {
  requireAddress(releases);
  const place = NOWHERE.find((place) => place.test(script));
  if (place === undefined) throw new Error("Cannot find the place for the address in an installer");
  return script.replace(place, (line) => line.replace("''", `'${releases}'`));
}

/** @throws {Error} */
export function requireAddress(releases: string): void {
  if (ADDRESS.test(releases)) return;
  throw new Error(
    `Cannot use "${releases}": it must be like https://<host>/<owner>/<name>/releases`,
  );
}
