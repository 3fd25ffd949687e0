/**
 * Files of exported secrets (docs/protocol.md, section 1.8): readable JSON, a `.env` file, or the JSON sealed under a password that
 * is typed for it. Made and read in the browser: the keeper only tells the values, after a fresh proof.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, fromUtf8, randomBytes, utf8 } from "../channel/bytes";
import { ChannelError, type SecretKind } from "../channel/messages";
import { normalisedPassword } from "../channel/opaque-names";

/** A secret as it leaves the vault. */
export interface ExportedSecret {
  name: string;
  kind: SecretKind;
  username: string;
  url: string;
  value: string;
}

const MAGIC = utf8("holdfast-secrets");
const VERSION = 1;
const SALT = 16;
const CHECK = 32;
const NONCE = 24;
const HEADER = MAGIC.length + 1 + SALT + CHECK;
const TAG = 16;
/** What a guess at the password costs; it belongs to the version. */
const COST = { t: 3, m: 64 * 1024, p: 4, dkLen: 64, version: 0x13 } as const;
/** The largest file that is made or read, in bytes. */
export const EXPORT_BYTES = 16 * 1024 * 1024;

export function toJson(secrets: readonly ExportedSecret[]): string {
  return `${JSON.stringify({ holdfast_secrets: 1, secrets: secrets.map(({ name, kind, username, url, value }) => ({ name, kind, username, url, value })) }, null, 1)}\n`;
}

/** A name that shells and dotenv take, which no other secret of the file has. */
function variable(name: string, taken: Set<string>): string {
  const base = name.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase().replace(/[^A-Z0-9]+/g, "_").replace(/^_+|_+$/g, "") || "SECRET";
  const start = /^[0-9]/.test(base) ? `_${base}` : base;
  let free = start;
  for (let number = 2; taken.has(free); number++) free = `${start}_${number}`;
  taken.add(free);
  return free;
}

/** Nothing in it is expanded by a shell or by dotenv. */
function quoted(value: string): string {
  return `"${value.replace(/[\\"$`]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t")}"`;
}

export function toEnv(secrets: readonly ExportedSecret[]): string {
  const taken = new Set<string>();
  return secrets
    .flatMap(({ name, username, value }) => {
      const own = variable(name, taken);
      return username === "" ? [`${own}=${quoted(value)}`] : [`${variable(`${name} username`, taken)}=${quoted(username)}`, `${own}=${quoted(value)}`];
    })
    .map((line) => `${line}\n`)
    .join("");
}

export function isSealedExport(file: Uint8Array): boolean {
  return MAGIC.every((byte, at) => file[at] === byte);
}

interface Keys {
  key: Uint8Array;
  check: Uint8Array;
}

async function keys(password: string, salt: Uint8Array): Promise<Keys> {
  const typed = utf8(normalisedPassword(password));
  const root = await argon2idAsync(typed, salt, COST);
  typed.fill(0);
  const part = (label: string) => hkdf(sha512, root, new Uint8Array(0), utf8(`holdfast/secrets-export/v1/${label}`), 32);
  const both = { key: part("key"), check: part("check") };
  root.fill(0);
  return both;
}

/** Takes a second or two: so does each guess of whoever finds the file. */
export async function sealExport(password: string, json: string, salt: Bytes = randomBytes(SALT), nonce: Bytes = randomBytes(NONCE)): Promise<Bytes> {
  const text = utf8(json);
  if (HEADER + NONCE + text.length + TAG > EXPORT_BYTES) throw new ChannelError("too_large", "Your secrets are more than a file of 16 MiB holds. Make a backup instead.");
  const { key, check } = await keys(password, salt);
  const header = concat(MAGIC, new Uint8Array([VERSION]), salt, check);
  const sealed = xchacha20poly1305(key, nonce, header).encrypt(text);
  text.fill(0);
  key.fill(0);
  return concat(header, nonce, sealed);
}

export async function openExport(password: string, file: Uint8Array): Promise<string> {
  const damaged = (words: string) => new ChannelError("damaged", words);
  if (!isSealedExport(file)) throw damaged("This is no file of exported secrets.");
  if (file[MAGIC.length] !== VERSION) throw damaged("This file was made by a newer Holdfast.");
  if (file.length > EXPORT_BYTES) throw damaged("The file is larger than 16 MiB.");
  if (file.length < HEADER + NONCE + TAG) throw damaged("This file was cut.");
  const header = file.subarray(0, HEADER);
  const { key, check } = await keys(password, header.subarray(MAGIC.length + 1, MAGIC.length + 1 + SALT));
  let differs = 0;
  for (const [at, byte] of check.entries()) differs |= byte ^ (header[HEADER - CHECK + at] ?? 0);
  if (differs !== 0) throw new ChannelError("wrong_secret", "That is not the password of this file.");
  try {
    const text = xchacha20poly1305(key, file.subarray(HEADER, HEADER + NONCE), header).decrypt(file.subarray(HEADER + NONCE));
    const json = fromUtf8(text);
    text.fill(0);
    return json;
  } catch {
    throw damaged("This file was changed since it was made. Nothing was taken from it.");
  } finally {
    key.fill(0);
  }
}
