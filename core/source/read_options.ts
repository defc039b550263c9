/** How a range is read: told as it comes, and no faster than allowed. */
export interface ReadOptions {
  /** Told as payload comes in, in bytes, and where in the range it is: parts of it may come over several connections. */
  readonly onBytes: (count: number, at: number) => void;
  /** Where there is a limit on bytes a second. */
  readonly pace: RateLimit | undefined;
}

export interface RateLimit {
  /** Ask for no more than this at a time. */
  readonly maxBytes: number;
  /** Waits until so many bytes may be asked for. */
  wait(bytes: number, signal: AbortSignal): Promise<void>;
}
