/** What is typed and not sent, one text a conversation. Kept in memory while a page stands, and sealed so that it survives reload and lock. */
import { signal } from "@preact/signals-core";
import { allSealed, putSealed, removeSealed } from "../storage/sealed";

const WRITE_AFTER_MS = 250;

/** Rises when drafts were read from storage: fields that stand take theirs then. */
export const draftsRead = signal(0);

const texts = new Map<string, string>();
const timers = new Map<string, ReturnType<typeof setTimeout>>();

export function draftOf(conversation: string): string {
  return texts.get(conversation) ?? "";
}

export function setDraft(conversation: string, text: string): void {
  if (text === "") texts.delete(conversation);
  else texts.set(conversation, text);
  clearTimeout(timers.get(conversation));
  timers.set(conversation, setTimeout(() => void write(conversation), WRITE_AFTER_MS));
}

async function write(conversation: string): Promise<void> {
  timers.delete(conversation);
  const text = texts.get(conversation);
  if (text === undefined) await removeSealed("drafts", conversation);
  else await putSealed("drafts", conversation, { text });
}

/** Writes what waits: before the page goes, and before the vault locks. */
export async function flushDrafts(): Promise<void> {
  const waiting = [...timers.keys()];
  for (const conversation of waiting) clearTimeout(timers.get(conversation));
  await Promise.all(waiting.map(write));
}

/** Reads what is kept; gives the conversations that have a draft. */
export async function loadDrafts(): Promise<string[]> {
  for (const { id, value } of await allSealed<{ text: string }>("drafts")) if (!texts.has(id)) texts.set(id, value.text);
  draftsRead.value++;
  return [...texts.keys()];
}

export function moveDraft(from: string, to: string): void {
  const text = draftOf(from);
  setDraft(from, "");
  if (text !== "") setDraft(to, text);
}

export function dropDraft(conversation: string): void {
  setDraft(conversation, "");
}

/** Another person's, or locked: nothing may stay in memory. */
export function clearDrafts(): void {
  for (const timer of timers.values()) clearTimeout(timer);
  timers.clear();
  texts.clear();
}
