/**
 * Drafts and unsent messages, sealed with a key that the vault gave (AES-256-GCM). The key object cannot be exported and goes
 * when the vault locks or the person signs out; what it sealed stays and can be read again after the next unlock.
 */
import { type Bytes, concat, fromUtf8, randomBytes, utf8 } from "../channel/bytes";
import * as database from "./database";

const VERSION = 1;
const IV = 12;

export interface LocalKey {
  user: string;
  key: CryptoKey;
}

let current: LocalKey | undefined;

/** Takes the vault's `local_key`; the bytes are wiped. */
export async function adoptLocalKey(user: string, localKey: Bytes): Promise<void> {
  const base = await crypto.subtle.importKey("raw", localKey, "HKDF", false, ["deriveKey"]);
  localKey.fill(0);
  const key = await crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-512", salt: new Uint8Array(0), info: utf8("holdfast/local/v1/client-storage") },
    base,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
  current = { user, key };
  await database.put("localKeys", user, key);
}

/** After a reload: takes the key that is still there. False when there is none. */
export async function recallLocalKey(user: string): Promise<boolean> {
  const key = await database.get<CryptoKey>("localKeys", user);
  current = key ? { user, key } : undefined;
  return key !== undefined;
}

export async function forgetLocalKey(user: string): Promise<void> {
  current = undefined;
  await database.remove("localKeys", user);
}

export function canSeal(): boolean {
  return current !== undefined;
}

/** The key as it is now: for what is to be sealed although it will have been forgotten by then. */
export function localKey(): LocalKey | undefined {
  return current;
}

type SealedStore = "drafts" | "outbox";

function place(store: SealedStore, user: string, id: string): { key: string; additionalData: Bytes } {
  return { key: `${user}/${id}`, additionalData: utf8(`holdfast/local/v${VERSION}/${store}/${user}/${id}`) };
}

/** Seals and stores; without a key (locked) nothing is written, and it says so. */
export async function putSealed(store: SealedStore, id: string, value: unknown, local = current): Promise<boolean> {
  if (!local) return false;
  const { user, key: cryptoKey } = local;
  const { key, additionalData } = place(store, user, id);
  const iv = randomBytes(IV);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, cryptoKey, utf8(JSON.stringify(value)));
  await database.put(store, key, concat(Uint8Array.of(VERSION), iv, new Uint8Array(sealed)));
  return true;
}

export async function removeSealed(store: SealedStore, id: string, local = current): Promise<void> {
  if (local) await database.remove(store, place(store, local.user, id).key);
}

/** All that opens with the key; what does not open (another vault's) is left alone. */
export async function allSealed<T>(store: SealedStore): Promise<{ id: string; value: T }[]> {
  if (!current) return [];
  const { user, key: cryptoKey } = current;
  const found: { id: string; value: T }[] = [];
  for (const { key, value } of await database.all<Bytes>(store, `${user}/`)) {
    const id = key.slice(user.length + 1);
    if (value[0] !== VERSION) continue;
    try {
      const { additionalData } = place(store, user, id);
      const iv = value.slice(1, 1 + IV);
      const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, cryptoKey, value.slice(1 + IV));
      found.push({ id, value: JSON.parse(fromUtf8(new Uint8Array(plain))) as T });
    } catch {
      // Sealed under another vault's key: not ours to read, not ours to throw away.
    }
  }
  return found;
}
