/**
 * Makes inputs out of good ones: what a parser trips over, more often than
 * chance would bring it. The same dice give the same inputs.
 */

/** Whole words of the protocol and of the files, put where they do not belong. */
const WORDS = [
  ..."HELLO 2,AUTH,LIST,FILESIZE,MANIFEST,DOWNLOAD,PING,BYE,OK,SIZE:,ERROR:,BUSY,PENDING".split(
    ",",
  ),
  ..."retry-after-ms=,agent=,nonce=,auth=none,auth=token,max-length=,max-inflight=,more=1".split(
    ",",
  ),
  ...'"name":,"size":,"modified":,"pieceSize":,"sha256":,"id":,"pieces":,"__proto__":'.split(","),
  ...'"piece":,"synced":true,"run":,"p2p-journal":1,"pid":,"boot":,"queued":,"kind":'.split(","),
  ...'null,true,false,{},[],"",NaN,Infinity,-Infinity,undefined,tls://,[::1]'.split(","),
  ..."..,.,/,//,\\,|,||,../,/..,..\\,%2e%2e,%00,CON,NUL,C:,file:stream,~,-,--".split(","),
  ",",
  ":",
];

/** Where numbers change their nature. */
const NUMBERS = [
  ..."0,1,-1,00,01,+1,1.0,1e3,1E999,0x10,-0, 1,1 ,1_0,٣,１,2147483647,2147483648,4294967295".split(
    ",",
  ),
  ..."4294967296,9007199254740990,9007199254740991,9007199254740992,9007199254740993".split(","),
  ..."18446744073709551615,18446744073709551616,1048576,1048577,32768,4096,4097,8388609".split(","),
  "9".repeat(400),
];

/** Line ends, characters of one to four bytes at their edges, and bytes that are no text. */
const BYTES: readonly (readonly number[])[] = [
  [10],
  [13],
  [13, 10],
  [0],
  [9],
  [32],
  [0x1b],
  [0x7f],
  [0xc2, 0x80],
  [0xc0, 0xaf],
  [0xc0, 0xae, 0xc0, 0xae],
  [0xdf, 0xbf],
  [0xe0, 0xa0, 0x80],
  [0xe2, 0x80, 0xa8],
  [0xe2, 0x80, 0xae],
  [0xed, 0xa0, 0x80],
  [0xed, 0x9f, 0xbf],
  [0xee, 0x80, 0x80],
  [0xef, 0xbb, 0xbf],
  [0xef, 0xbc, 0x8e],
  [0xef, 0xbf, 0xbf],
  [0xf0, 0x90, 0x80, 0x80],
  [0xf0, 0x9f, 0x98, 0x80],
  [0xf4, 0x8f, 0xbf, 0xbf],
  [0xf4, 0x90, 0x80, 0x80],
  [0xff],
  [0xfe, 0xff],
];

const INSERTED: readonly Uint8Array[] = [
  ...WORDS.map((word) => new TextEncoder().encode(word)),
  ...NUMBERS.map((number) => new TextEncoder().encode(number)),
  ...BYTES.map((bytes) => Uint8Array.from(bytes)),
];
const NUMBER_BYTES = NUMBERS.map((number) => new TextEncoder().encode(number));

/** Long enough for every limit of a line to be passed, short enough for millions of inputs. */
const MOST_BYTES = 20 * 1024;
/** Most inputs are one step away from a good one, few are far. */
const MAX_STEPS = 6;

export class Mutator {
  readonly #random: () => number;

  /** @param random from 0 up to but not including 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A new input made of one or two of `corpus`, which must not be empty. */
  next(corpus: readonly Uint8Array[]): Uint8Array {
    let input = this.#one(corpus);
    const steps = 1 + Math.floor(this.#random() ** 2 * MAX_STEPS);
    for (let i = 0; i < steps; i++) input = this.#step(input, corpus);
    return input.length > MOST_BYTES ? input.slice(0, MOST_BYTES) : input;
  }

  #step(input: Uint8Array, corpus: readonly Uint8Array[]): Uint8Array {
    const at = this.#below(input.length + 1);
    switch (this.#below(10)) {
      case 0:
        return this.#flip(input);
      case 1:
        return this.#overwrite(input);
      case 2:
        return replace(input, at, at + this.#span(), new Uint8Array());
      case 3:
      case 4:
        return replace(input, at, at, this.#one(INSERTED));
      case 5:
        return replace(input, at, at + this.#span(), this.#one(INSERTED));
      case 6:
        return this.#renumber(input);
      case 7:
        return this.#repeat(input, at);
      case 8:
        return this.#splice(input, at, this.#one(corpus));
      default:
        return this.#below(2) === 0 ? input.slice(0, at) : input.slice(at);
    }
  }

  #flip(input: Uint8Array): Uint8Array {
    const flipped = input.slice();
    if (flipped.length > 0) flipped[this.#below(flipped.length)]! ^= 1 << this.#below(8);
    return flipped;
  }

  #overwrite(input: Uint8Array): Uint8Array {
    const written = input.slice();
    if (written.length > 0) written[this.#below(written.length)] = this.#below(256);
    return written;
  }

  /** One of the numbers in `input` becomes another one. */
  #renumber(input: Uint8Array): Uint8Array {
    const from = this.#below(input.length + 1);
    let start = from;
    while (start < input.length && !isDigit(input[start]!)) start++;
    let end = start;
    while (end < input.length && isDigit(input[end]!)) end++;
    return replace(input, start, end, this.#one(NUMBER_BYTES));
  }

  /** A part of `input` several times, seldom many times. */
  #repeat(input: Uint8Array, at: number): Uint8Array {
    const part = input.slice(at, at + this.#span());
    if (part.length === 0) return input;
    const most = this.#below(50) === 0 ? MOST_BYTES / part.length : 4;
    const times = 1 + this.#below(most);
    const repeated = new Uint8Array(part.length * times);
    for (let i = 0; i < times; i++) repeated.set(part, i * part.length);
    return replace(input, at, at, repeated);
  }

  #splice(input: Uint8Array, at: number, other: Uint8Array): Uint8Array {
    const from = this.#below(other.length + 1);
    const end = this.#below(2) === 0 ? input.length : at;
    return replace(input, at, end, other.slice(from, from + this.#span() * 4));
  }

  #span(): number {
    return 1 + Math.floor(this.#random() ** 3 * 64);
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  #below(most: number): number {
    return Math.floor(this.#random() * most);
  }
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

/** `input` with `start` up to `end`, as far as that is inside, replaced by `by`. */
function replace(input: Uint8Array, start: number, end: number, by: Uint8Array): Uint8Array {
  const rest = input.subarray(Math.min(end, input.length));
  const result = new Uint8Array(start + by.length + rest.length);
  result.set(input.subarray(0, start));
  result.set(by, start);
  result.set(rest, start + by.length);
  return result;
}
