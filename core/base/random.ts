/** Randomness as an argument, so that tests control it. */
export interface Random {
  /** From 0 up to but not including 1. */
  fraction(): number;
  /** Random bytes as hex. @param bytes their number. */
  hex(bytes: number): string;
}

export const systemRandom: Random = {
  fraction: () => Math.random(),
  hex: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)).toHex(),
};
