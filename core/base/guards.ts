/**
 * Guards for data that another version or a damaged disk may have written: type and check in one
 * definition. For import as a namespace: `is.object({ size: is.number })`.
 */
export type Guard<T> = (value: unknown) => value is T;
export type Guarded<G> = G extends Guard<infer T> ? T : never;

export function string(value: unknown): value is string {
  return typeof value === "string";
}

export function boolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

/** Not Infinity, which is what JSON.parse makes of `1e999`. */
export function number(value: unknown): value is number {
  return Number.isFinite(value);
}

export function oneOf<T>(values: readonly T[]): Guard<T> {
  return (value): value is T => values.includes(value as T);
}

export function nullOr<T>(isValid: Guard<T>): Guard<T | null> {
  return (value): value is T | null => value === null || isValid(value);
}

export function arrayOf<T>(isElement: Guard<T>): Guard<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(isElement);
}

/** Other fields are allowed, because a later version may add some. */
export function object<Fields extends Record<string, Guard<unknown>>>(
  fields: Fields,
): Guard<{ readonly [Name in keyof Fields]: Guarded<Fields[Name]> }> {
  const guards = Object.entries(fields);
  return (value): value is { readonly [Name in keyof Fields]: Guarded<Fields[Name]> } => {
    const fieldsOf = Object(value);
    return guards.every(([name, isValid]) => isValid(fieldsOf[name]));
  };
}
