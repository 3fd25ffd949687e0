/** The keys of the channel (docs/protocol.md, section 1.2): HKDF-SHA512 (RFC 5869) over what OPAQUE gives. */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, utf8 } from "./bytes";

const NO_SALT = new Uint8Array(0);

export interface DirectionKeys {
  clientToKeeper: Bytes;
  keeperToClient: Bytes;
}

function derive(ikm: Uint8Array, info: string): Bytes {
  return hkdf(sha512, ikm, NO_SALT, utf8(info), 32) as Bytes;
}

/** Key-encryption key of a keyslot; the keeper wraps and unwraps the data key with it. */
export function slotKek(exportKey: Uint8Array, slot: string): Bytes {
  return derive(exportKey, `holdfast/kek/v1/${slot}`);
}

export function directionKeys(sessionKey: Uint8Array): DirectionKeys {
  return {
    clientToKeeper: derive(sessionKey, "holdfast/channel/v1/client-to-keeper"),
    keeperToClient: derive(sessionKey, "holdfast/channel/v1/keeper-to-client"),
  };
}

const RESUME_INFO = utf8("holdfast/channel/v1/resume");

/** Session key of a resumed channel. The secret is a key object that no script can read back, so WebCrypto derives. */
export async function resumedSessionKey(secret: CryptoKey, clientNonce: Uint8Array, keeperNonce: Uint8Array): Promise<Bytes> {
  const bits = await crypto.subtle.deriveBits(
    { name: "HKDF", hash: "SHA-512", salt: concat(clientNonce, keeperNonce), info: RESUME_INFO },
    secret,
    64 * 8,
  );
  return new Uint8Array(bits);
}

/** Turns a resume secret into a key object that can derive and cannot be exported; the bytes are wiped. */
export async function sealResumeSecret(secret: Bytes): Promise<CryptoKey> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  secret.fill(0);
  return key;
}
