/** Backup keys: 32 random bytes for paper, in Crockford's base 32 with a checksum (docs/protocol.md, section 1.1). */
import { sha512 } from "@noble/hashes/sha2.js";
import { concat, randomBytes, utf8, type Bytes } from "./bytes";

const PREFIX = "HFK1";
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const KEY = 32;
const CHECK = 3;
const CHARACTERS = 56;
const GROUP = 4;

export function newBackupKey(): Bytes {
  return randomBytes(KEY);
}

function check(key: Uint8Array): Uint8Array {
  return sha512(concat(utf8("holdfast/backup-key/v1"), key)).slice(0, CHECK);
}

/** The text to print; the QR code holds the same. */
export function backupKeyText(key: Uint8Array): string {
  const bytes = concat(key, check(key));
  let text = PREFIX;
  for (let at = 0; at < CHARACTERS; at++) {
    let value = 0;
    for (let bit = at * 5; bit < at * 5 + 5; bit++) value = (value << 1) | (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
    text += `${at % GROUP === 0 ? "-" : ""}${ALPHABET[value]}`;
  }
  return text;
}

export type BackupKeyCheck = { ok: true; key: Bytes } | { ok: false; problem: string };

/** Reads what a person typed or a camera read, and says what is wrong before the keeper is asked. */
export function checkBackupKey(text: string): BackupKeyCheck {
  const plain = text.toUpperCase().replaceAll(/[\s-]/g, "");
  if (!plain.startsWith(PREFIX)) return { ok: false, problem: `A backup key begins with ${PREFIX}.` };
  const digits = plain.slice(PREFIX.length).replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  const unknown = [...digits].findIndex((digit) => !ALPHABET.includes(digit));
  if (unknown >= 0) return { ok: false, problem: `Group ${Math.floor(unknown / GROUP) + 1} after ${PREFIX} has a character that no backup key has.` };
  if (digits.length !== CHARACTERS) return { ok: false, problem: `A backup key has ${CHARACTERS / GROUP} groups of ${GROUP} after ${PREFIX}; this has ${digits.length} characters.` };
  const bytes = new Uint8Array(KEY + CHECK);
  [...digits].forEach((digit, at) => {
    const value = ALPHABET.indexOf(digit);
    for (let bit = 0; bit < 5; bit++) {
      const to = at * 5 + bit;
      bytes[to >> 3] = (bytes[to >> 3] ?? 0) | (((value >> (4 - bit)) & 1) << (7 - (to & 7)));
    }
  });
  const key = bytes.slice(0, KEY);
  if (check(key).some((byte, at) => byte !== bytes[KEY + at])) return { ok: false, problem: "These groups do not belong together: a character is wrong, or two are swapped." };
  return { ok: true, key };
}
