/** Dice as an argument, like time. */
export interface Random {
  /** From 0 up to but not including 1. */
  fraction(): number;
  /** So many random bytes, as hex. */
  hex(bytes: number): string;
}

export const systemRandom: Random = {
  fraction: () => Math.random(),
  hex: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)).toHex(),
};
