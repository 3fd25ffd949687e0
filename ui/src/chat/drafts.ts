/**
 * What is typed and not sent: one text a conversation, and one a message that is being edited. Kept in memory while a page stands, and
 * sealed so that it survives reload and lock.
 */
import { signal } from "@preact/signals-core";
import { allSealed, putSealed, removeSealed } from "../storage/sealed";

const WRITE_AFTER_MS = 250;

/** Rises when drafts were read from storage: fields that stand take theirs then. */
export const draftsRead = signal(0);

const EDIT = "/edit/";

/** The name of the draft of a message that was sent and is being edited. */
export function editDraft(conversation: string, message: string): string {
  return `${conversation}${EDIT}${message}`;
}

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

/** Reads what is kept; gives the conversations that have a draft. What was sent or thrown away a moment ago does not come back. */
export async function loadDrafts(): Promise<string[]> {
  for (const { id, value } of await allSealed<{ text: string }>("drafts")) if (!texts.has(id) && !timers.has(id)) texts.set(id, value.text);
  draftsRead.value++;
  return [...texts.keys()].filter((id) => !id.includes(EDIT));
}

export function moveDraft(from: string, to: string): void {
  const text = draftOf(from);
  setDraft(from, "");
  if (text !== "") setDraft(to, text);
}

/** The conversation is deleted: so is what was being written in it. */
export function dropDraft(conversation: string): void {
  setDraft(conversation, "");
  for (const id of texts.keys()) if (id.startsWith(`${conversation}${EDIT}`)) setDraft(id, "");
}

/** Another person's, or locked: nothing may stay in memory. */
export function clearDrafts(): void {
  for (const timer of timers.values()) clearTimeout(timer);
  timers.clear();
  texts.clear();
}
