/** A map of limited size: the least recently used entries are evicted first. */

export interface LruOptions<K, V> {
  /** Limits the sum of all entries' sizes. */
  readonly maxSize: number;
  /** 1 for each entry where none is given, so that `maxSize` limits their number. */
  readonly sizeOf?: (value: V, key: K) => number;
  /** Receives each entry that is replaced, deleted or evicted. */
  readonly onRemove?: (value: V, key: K) => void;
}

export class LruCache<K, V> {
  readonly #options: LruOptions<K, V>;
  /** The least recently used entry comes first. */
  readonly #entries = new Map<K, V>();
  #size = 0;

  constructor(options: LruOptions<K, V>) {
    this.#options = options;
  }

  /** The entry for `key`, which becomes the most recently used one. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.delete(key);
    this.#entries.set(key, value);
    this.#size += this.#sizeOf(value, key);
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= this.#options.maxSize) return;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#size -= this.#sizeOf(value, key);
    this.#options.onRemove?.(value, key);
  }

  /** From the least to the most recently used; entries may be deleted meanwhile. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#entries.entries();
  }

  #sizeOf(value: V, key: K): number {
    return this.#options.sizeOf?.(value, key) ?? 1;
  }
}
