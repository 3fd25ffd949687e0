/** The ways into the vault: adding, renaming, taking away. What needs a fresh proof asks for it first. */
import { slotKek } from "../channel/keys";
import { toBase64Url } from "../channel/bytes";
import { backupKeySecret } from "../channel/slot-secret";
import { ChannelError, type PasskeyRequest, type SlotInfo, type SlotKind } from "../channel/messages";
import { OpaqueClient } from "../channel/opaque";
import { createPasskey } from "../channel/passkey";
import { opaqueSecret, refreshStatus, request, slotNames, slots } from "./link";
import { ensureProof, withProof } from "./proof";

export interface NewWay {
  kind: SlotKind;
  secret: string;
  name?: string;
  passkey?: PasskeyRequest;
}

/** Of these a vault has one at most: a new one takes the place of the old one. */
const SINGLE: readonly SlotKind[] = ["password", "recovery_phrase", "social"];

/** Adds a way in, or gives the one of its kind a new secret; gives the new slot's id. */
export function addWay({ kind, secret, name, passkey }: NewWay): Promise<string> {
  return withProof(async () => {
    const opaque = new OpaqueClient(opaqueSecret(kind, secret));
    try {
      const { state, request: message } = await opaque.startRegistration();
      const started = await request<{ slot: string; response: string }>("slot.register_start", {
        kind,
        request: message,
        ...(name ? { name } : {}),
        ...(passkey ? { passkey } : {}),
      });
      const { record, exportKey } = await opaque.finishRegistration(state, started.response, slotNames(started.slot));
      const kek = slotKek(exportKey, started.slot);
      // As it is now: stretching the secret took a while.
      const replaces = SINGLE.includes(kind) ? slots.peek().find((each) => each.kind === kind)?.id : undefined;
      await request("slot.register_finish", { slot: started.slot, record, kek: toBase64Url(kek), ...(replaces ? { replaces } : {}) });
      kek.fill(0);
      await refreshStatus();
      return started.slot;
    } finally {
      opaque.close();
    }
  });
}

/** Gives the vault a new password or phrase in place of the old one. */
export function setSlot(kind: "password" | "recovery_phrase", secret: string): Promise<string> {
  return addWay({ kind, secret });
}

export async function renameWay(slot: SlotInfo, name: string): Promise<void> {
  await request("slot.rename", { slot: slot.id, name });
  await refreshStatus();
}

export async function removeWay(slot: SlotInfo): Promise<void> {
  await withProof(() => request("slot.remove", { slot: slot.id }));
  await refreshStatus();
}

/** The secret that a person typed for a slot, or what is wrong with it before the keeper is asked. */
export async function typedSecret(kind: SlotKind, text: string): Promise<string> {
  if (kind === "recovery_phrase") {
    const { checkPhrase } = await import("../channel/phrase");
    const check = checkPhrase(text);
    if (!check.ok) throw new ChannelError("typed", check.problem);
    return check.phrase;
  }
  if (kind === "backup_key") {
    const { checkBackupKey } = await import("../channel/backup-key");
    const check = checkBackupKey(text);
    if (!check.ok) throw new ChannelError("typed", check.problem);
    return backupKeySecret(check.key);
  }
  return text;
}

/** Makes a backup key and its slot; gives the text to print. */
export async function addBackupKey(name: string): Promise<string> {
  const { backupKeyText, newBackupKey } = await import("../channel/backup-key");
  const key = newBackupKey();
  const text = backupKeyText(key);
  await addWay({ kind: "backup_key", secret: backupKeySecret(key), name });
  key.fill(0);
  return text;
}

/** Makes a passkey and its slot. The proof comes first: two questions of the browser after each other would be one too many. */
export async function addPasskey(account: string, name: string): Promise<void> {
  await ensureProof();
  const { request: passkey, secret } = await createPasskey(account, slots.peek());
  await addWay({ kind: "passkey", secret, name, passkey });
}

/** Proves a slot's secret inside the open channel. */
export async function prove(slot: SlotInfo, secret: string): Promise<void> {
  const opaque = new OpaqueClient(opaqueSecret(slot.kind, secret));
  try {
    const { state, request: message } = await opaque.startLogin();
    const answer = await request<{ response: string; retry_after_ms?: number }>("slot.prove_start", { slot: slot.id, request: message });
    const result = await opaque.finishLogin(state, answer.response, slotNames(slot.id));
    if (result === null) throw new ChannelError("wrong_secret", "That is not right.", answer.retry_after_ms);
    result.sessionKey.fill(0);
    result.exportKey.fill(0);
    await request("slot.prove_finish", { slot: slot.id, finish: result.finish });
  } finally {
    opaque.close();
  }
}
