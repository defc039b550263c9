/**
 * Runs `run` for every item, in their order, at most `most` at a time. After a
 * failure no further one begins; it settles when all that began have ended.
 *
 * @throws the first failure.
 */
export async function inLanes<Item>(
  items: Iterable<Item>,
  most: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const lane = async () => {
    while (failure === undefined) {
      const { done, value } = left.next();
      if (done) return;
      await run(value).catch((error) => failure ??= { error });
    }
  };
  await Promise.all(Array.from({ length: most }, lane));
  if (failure) throw failure.error;
}
