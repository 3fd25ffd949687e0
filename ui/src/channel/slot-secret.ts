/** What goes into OPAQUE for slots whose secret is 32 bytes from somewhere (docs/protocol.md, section 1.1). */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { toBase64Url, utf8 } from "./bytes";

const NO_SALT = new Uint8Array(0);

function slotSecret(kind: string, bytes: Uint8Array, salt: Uint8Array): string {
  const derived = hkdf(sha512, bytes, salt, utf8(`holdfast/slot-secret/v1/${kind}`), 32);
  const text = toBase64Url(derived);
  derived.fill(0);
  return text;
}

/** The authenticator's PRF output, bound to the salt it was asked with and to the site. */
export function passkeySecret(prfOutput: Uint8Array, prfSalt: Uint8Array, rpId: string): string {
  return slotSecret(`passkey/${rpId}`, prfOutput, prfSalt);
}

export function backupKeySecret(key: Uint8Array): string {
  return slotSecret("backup_key", key, NO_SALT);
}

/** What the contacts' shares join to. */
export function socialSecret(joined: Uint8Array): string {
  return slotSecret("social", joined, NO_SALT);
}

/** Whether somebody means a backup key, not a phrase. */
export function looksLikeBackupKey(text: string): boolean {
  return /^\s*hfk/i.test(text);
}
