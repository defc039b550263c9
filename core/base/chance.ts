/** Dice as an argument, like time. */
export interface Chance {
  /** From 0 up to but not including 1. */
  random(): number;
  /** So many random bytes, as hex. */
  hex(bytes: number): string;
}

export const systemChance: Chance = {
  random: () => Math.random(),
  hex: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)).toHex(),
};
