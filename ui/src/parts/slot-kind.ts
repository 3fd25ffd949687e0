/** The kinds of ways into the vault, in words and signs. */
import type { SlotKind } from "../channel/messages";
import type { IconName } from "./icon-names";

const KINDS: Record<SlotKind, { words: string; sign: IconName }> = {
  password: { words: "Password", sign: "lock" },
  passkey: { words: "Passkey", sign: "key-round" },
  recovery_phrase: { words: "Recovery phrase", sign: "file-text" },
  backup_key: { words: "Backup key", sign: "qr-code" },
  social: { words: "Recovery contacts", sign: "users-round" },
};

export function kindWords(kind: SlotKind): string {
  return KINDS[kind]?.words ?? "Way in";
}

export function kindSign(kind: SlotKind): IconName {
  return KINDS[kind]?.sign ?? "key-round";
}
