/** Requests and shares of a recovery by contacts (docs/protocol.md, section 1.7), as the browser of somebody who is locked out needs them. */
import { sha512 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, utf8 } from "./bytes";

export const RELEASE_PURPOSE = "recovery/release";

const TERMS = 1 + 16 + 16 + 8 + 8 + 2;

function uuidBytes(id: string): Bytes {
  return Uint8Array.from(id.replaceAll("-", "").match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** The bytes of a request; its code is what is read to a contact. */
export function encodeRequest(request: { cell: string; slot: string; key: Uint8Array; made: number }): Bytes {
  const made = new Uint8Array(8);
  new DataView(made.buffer).setBigInt64(0, BigInt(request.made));
  return concat(Uint8Array.of(1), uuidBytes(request.cell), uuidBytes(request.slot), request.key, made);
}

export function requestId(request: Uint8Array): string {
  return [...digest(request).slice(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function requestCode(request: Uint8Array): string {
  const bytes = digest(request).slice(16);
  return Array.from({ length: 5 }, (_, at) => {
    const number = bytes.slice(at * 5, at * 5 + 5).reduce((sum, byte) => sum * 256 + byte, 0);
    return String(number % 100_000).padStart(5, "0");
  }).join(" ");
}

function digest(request: Uint8Array): Uint8Array {
  return sha512(concat(utf8("holdfast/recovery/request/v1"), request));
}

export interface Share {
  /** Everything that shares which belong together have in common. */
  set: string;
  threshold: number;
  count: number;
  index: number;
  value: Bytes;
}

/** Reads a share and checks it against its commitment; undefined for what is none. */
export function decodeShare(bytes: Uint8Array): Share | undefined {
  const [threshold = 0, count = 0] = bytes.slice(TERMS - 2, TERMS);
  const list = bytes.slice(TERMS, TERMS + count * 32);
  const index = bytes[TERMS + count * 32] ?? 0;
  const value = new Uint8Array(bytes.slice(TERMS + count * 32 + 1));
  if (bytes[0] !== 1 || threshold < 2 || threshold > count || index < 1 || index > count || value.length !== 32) return undefined;
  const committed = sha512(concat(utf8("holdfast/recovery/share/v1"), bytes.slice(0, TERMS), Uint8Array.of(index), value)).slice(0, 32);
  if (list.slice((index - 1) * 32, index * 32).some((byte, at) => byte !== committed[at])) return undefined;
  return { set: bytes.slice(0, TERMS + count * 32).join(","), threshold, count, index, value };
}

/** GF(256) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d). */
function times(a: number, b: number): number {
  let product = 0;
  for (; b > 0; b >>= 1) {
    if (b & 1) product ^= a;
    a = (a << 1) ^ (a & 0x80 ? 0x11d : 0);
  }
  return product;
}

function inverse(a: number): number {
  // a to the power of 254.
  let result = 1;
  for (let n = 0; n < 254; n++) result = times(result, a);
  return result;
}

/**
 * Puts shares together: those count of which there are most that belong together. Undefined while they are too few; `wrong` are
 * the places of those that belong to other ones.
 */
export function joinShares(shares: readonly (Share | undefined)[]): { secret: Bytes | undefined; have: number; threshold: number; wrong: number[] } {
  const sets = new Map<string, Map<number, Share>>();
  for (const share of shares) if (share) sets.set(share.set, (sets.get(share.set) ?? new Map<number, Share>()).set(share.index, share));
  const best = [...sets.values()].sort((one, other) => other.size - one.size)[0];
  const set = best ? [...best.values()][0]?.set : undefined;
  const wrong = shares.flatMap((share, at) => (share?.set === set && share !== undefined ? [] : [at]));
  const all = [...(best?.values() ?? [])];
  const threshold = all[0]?.threshold ?? 0;
  if (all.length === 0 || all.length < threshold) return { secret: undefined, have: all.length, threshold, wrong };
  const chosen = all.slice(0, threshold);
  const factors = chosen.map((share) => chosen.reduce((product, other) => (other.index === share.index ? product : times(product, times(other.index, inverse(other.index ^ share.index)))), 1));
  const secret = new Uint8Array(32);
  for (let at = 0; at < 32; at++) secret[at] = chosen.reduce((sum, share, n) => sum ^ times(share.value[at] ?? 0, factors[n] ?? 0), 0);
  return { secret, have: all.length, threshold, wrong };
}
