/** Opening what was sealed to a key of this browser (docs/protocol.md, section 1.5). The key's secret half cannot be exported. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, utf8 } from "./bytes";

const LABEL = "holdfast/sealed-to/v1";
const SIGNED = "holdfast/sealed-to/signature/v1";
const IDENTITY = "holdfast/identity/v1";
const BUNDLE = 129;
const SIGNATURE = 64;

export class SealedToError extends Error {
  override name = "SealedToError";
}

export interface OneTimeKey {
  secret: CryptoKey;
  public: Bytes;
}

/** A key for one request; what is kept of it in storage can be used here and not taken away. */
export async function makeKey(): Promise<OneTimeKey> {
  const pair = (await crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveBits"])) as CryptoKeyPair;
  return { secret: pair.privateKey, public: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)) };
}

function withLengths(label: string, parts: Uint8Array[]): Bytes {
  const length = (part: Uint8Array): Bytes => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(part.length));
    return bytes;
  };
  return concat(utf8(label), ...parts.flatMap((part) => [length(part), part]));
}

async function verified(key: Uint8Array, signature: Uint8Array, message: Bytes): Promise<boolean> {
  const verifying = await crypto.subtle.importKey("raw", new Uint8Array(key), "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", verifying, new Uint8Array(signature), message);
}

/** The message, and the bundle of whoever sealed it. Throws when it was changed, is for another key, or is not signed. */
export async function openSealedTo(key: OneTimeKey, purpose: string, context: Uint8Array, sealed: Uint8Array): Promise<{ sender: Bytes; message: Bytes }> {
  if (sealed[0] !== 1) throw new SealedToError("This was sealed by a version that is not known here.");
  const oneTime = new Uint8Array(sealed.slice(1, 33));
  let plain: Uint8Array;
  try {
    const other = await crypto.subtle.importKey("raw", oneTime, { name: "X25519" }, false, []);
    const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: other }, key.secret, 256));
    if (shared.every((byte) => byte === 0)) throw new SealedToError("");
    const derived = hkdf(sha512, shared, concat(oneTime, key.public), utf8(`${LABEL}/${purpose}`), 32);
    shared.fill(0);
    plain = xchacha20poly1305(derived, new Uint8Array(24), withLengths(LABEL, [utf8(purpose), context])).decrypt(sealed.slice(33));
    derived.fill(0);
  } catch {
    throw new SealedToError("This was changed on its way, or is for somebody else.");
  }
  if (plain.length < BUNDLE + SIGNATURE) throw new SealedToError("This was cut.");
  const sender = new Uint8Array(plain.slice(0, BUNDLE));
  const signature = plain.slice(BUNDLE, BUNDLE + SIGNATURE);
  const message = new Uint8Array(plain.slice(BUNDLE + SIGNATURE));
  plain.fill(0);
  const signing = sender.slice(1, 33);
  const signed = withLengths(SIGNED, [oneTime, key.public, utf8(purpose), context, message]);
  const own = concat(utf8(IDENTITY), sender.slice(0, 65));
  if (sender[0] !== 1 || !(await verified(signing, sender.slice(65), own)) || !(await verified(signing, signature, signed)))
    throw new SealedToError("This is not signed by whom it names as its sender.");
  return { sender, message };
}
