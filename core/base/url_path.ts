/** `name` as the path of a URL; every character that means something to a URL or a shell is encoded. */
export function encodePath(name: string): string {
  return name.split("/").map(encodePart).join("/");
}

/** One part of a path, or a value of a query. */
export function encodePart(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
