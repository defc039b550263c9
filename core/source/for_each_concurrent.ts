/**
 * Runs `run` for every item, in their order, at most `most` at a time. After a
 * failure no further one begins; it settles when all that began have ended.
 *
 * @throws the first failure.
 */
export async function forEachConcurrent<Item>(
  items: Iterable<Item>,
  most: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  let over = false;
  let failure: { readonly error: unknown } | undefined;
  const lane = async () => {
    while (failure === undefined) {
      const { done, value } = left.next();
      if (done) {
        over = true;
        return;
      }
      await run(value).catch((error) => failure ??= { error });
    }
  };
  // Each begins with its first item, so a lane more than there are items would only end again.
  const lanes: Promise<void>[] = [];
  while (lanes.length < most && !over && failure === undefined) lanes.push(lane());
  await Promise.all(lanes);
  if (failure) throw failure.error;
}
