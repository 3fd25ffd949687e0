/**
 * Backups (docs/protocol.md, section 1.6): one encrypted file of vault and home, carried through the channel in parts. Nothing of
 * it is readable here, on its way, or on disk; the keeper checks all of it before it replaces anything.
 */
import { opaqueSecret, request } from "../app/link";
import { withProof } from "../app/proof";
import { identifiers } from "../channel/opaque-names";
import { fromBase64Url, toBase64Url } from "../channel/bytes";
import { slotKek } from "../channel/keys";
import { ChannelError, type SlotInfo } from "../channel/messages";
import { OpaqueClient } from "../channel/opaque";

/** As base64url it fits a frame. */
const PART_BYTES = 512 * 1024;
/** Pieces are sealed and stored before a part is answered. */
const ANSWER_MS = 180_000;
/** Sealing what is newest, stopping the agent, writing, locking. */
const APPLY_MS = 240_000;

export interface BackupState {
  backup: string;
  state: "reading" | "needs_key" | "checking" | "complete";
  cell?: string;
  slots: SlotInfo[];
  files: number;
  conversations: number;
}

/** Makes a backup; `onProgress` gets how much of it is there, from 0 to 1. */
export async function makeBackup(onProgress: (done: number) => void, signal: AbortSignal): Promise<Blob> {
  const { backup, pieces } = await request<{ backup: string; pieces: number }>("backup.start", {}, { signal, answerMs: ANSWER_MS });
  const parts: Blob[] = [];
  for (;;) {
    const { data, left, done } = await request<{ data: string; left: number; done: boolean }>("backup.read", { backup }, { signal, answerMs: ANSWER_MS });
    // A blob of its own each: the browser may put it on its disk, and what is in it is sealed.
    parts.push(new Blob([fromBase64Url(data)]));
    onProgress(pieces === 0 ? 1 : 1 - left / pieces);
    if (done) return new Blob(parts, { type: "application/octet-stream" });
  }
}

export function saveFile(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A backup that is being read, up to the point where the keeper needs a key, and on from there. */
export class Restore {
  readonly #file: Blob;
  #at = 0;
  #state: BackupState;

  private constructor(file: Blob, state: BackupState) {
    this.#file = file;
    this.#state = state;
  }

  static async begin(file: Blob): Promise<Restore> {
    const restore = new Restore(file, await request<BackupState>("restore.start"));
    await restore.#readOn(() => undefined, (state) => state === "reading");
    if (restore.#state.state === "reading") throw new ChannelError("backup_cut", "This file ends before the vault in it does: it was cut.");
    return restore;
  }

  get state(): BackupState {
    return this.#state;
  }

  async #readOn(onProgress: (done: number) => void, until: (state: BackupState["state"]) => boolean): Promise<void> {
    while (until(this.#state.state) && this.#at < this.#file.size) {
      const part = new Uint8Array(await this.#file.slice(this.#at, this.#at + PART_BYTES).arrayBuffer());
      this.#at += part.length;
      this.#state = await request<BackupState>("restore.write", { backup: this.#state.backup, data: toBase64Url(part) }, { answerMs: ANSWER_MS });
      onProgress(this.#at / this.#file.size);
    }
  }

  /** Opens the vault in the backup by one of its own slots, then reads and checks all of it. */
  async open(slot: SlotInfo, secret: string, onProgress: (done: number) => void): Promise<void> {
    if (this.#state.state === "needs_key") {
      const { backup, cell = "" } = this.#state;
      const opaque = new OpaqueClient(opaqueSecret(slot.kind, secret));
      try {
        const { state, request: message } = await opaque.startLogin();
        const { response } = await request<{ response: string }>("restore.login", { backup, slot: slot.id, request: message });
        const result = await opaque.finishLogin(state, response, identifiers(slot.id, cell));
        if (result === null) throw new ChannelError("wrong_secret", "That does not open this backup.");
        const kek = slotKek(result.exportKey, slot.id);
        this.#state = await request<BackupState>("restore.open", { backup, slot: slot.id, kek: toBase64Url(kek) }, { answerMs: ANSWER_MS });
        kek.fill(0);
      } finally {
        opaque.close();
      }
    }
    await this.#readOn(onProgress, (state) => state === "checking" || state === "complete");
    if (this.#state.state !== "complete") throw new ChannelError("backup_cut", "This file ends before the backup does: it was cut. Nothing was replaced.");
  }

  /** Puts it in the place of what is here. The vault is locked afterwards. */
  async apply(): Promise<void> {
    await withProof(() => request("restore.apply", { backup: this.#state.backup }, { answerMs: APPLY_MS }));
  }
}
