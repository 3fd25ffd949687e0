/**
 * What is typed and not sent: one text a conversation, and one a message that is being edited. Kept in memory while a page stands, and
 * sealed so that it survives reload and lock.
 */
import { signal } from "@preact/signals-core";
import { allSealed, localKey, type LocalKey, putSealed, removeSealed } from "../storage/sealed";

/** Rises when drafts were read from storage: fields that stand take theirs then. */
export const draftsRead = signal(0);

const EDIT = "/edit/";

/** The name of the draft of a message that was sent and is being edited. */
export function editDraft(conversation: string, message: string): string {
  return `${conversation}${EDIT}${message}`;
}

const texts = new Map<string, string>();
/** What was typed or thrown away here: what is stored of it is no newer. */
const known = new Set<string>();
/** Whose text is another one than the last that was taken to be written, and the key there was when it was typed: a lock may come before it
 * is its turn. */
const changed = new Map<string, LocalKey | undefined>();
const writing = new Map<string, Promise<void>>();

export function draftOf(conversation: string): string {
  return texts.get(conversation) ?? "";
}

/** It is written at once: a page that goes a moment later cannot wait for anything. */
export function setDraft(conversation: string, text: string): void {
  if (text === "") texts.delete(conversation);
  else texts.set(conversation, text);
  known.add(conversation);
  changed.set(conversation, localKey());
  if (!writing.has(conversation)) writing.set(conversation, write(conversation));
}

/** Again while it changes meanwhile, so that what was typed last is what is kept. */
async function write(conversation: string): Promise<void> {
  try {
    while (changed.has(conversation)) {
      const key = changed.get(conversation);
      changed.delete(conversation);
      const text = texts.get(conversation);
      if (text === undefined) await removeSealed("drafts", conversation, key);
      else await putSealed("drafts", conversation, { text }, key);
    }
  } finally {
    writing.delete(conversation);
  }
}

/** Waits for what is being written: before the vault locks. */
export async function flushDrafts(): Promise<void> {
  await Promise.all(writing.values());
}

/** Reads what is kept; gives the conversations that have a draft. What was sent or thrown away a moment ago does not come back. */
export async function loadDrafts(): Promise<string[]> {
  for (const { id, value } of await allSealed<{ text: string }>("drafts")) if (!known.has(id)) texts.set(id, value.text);
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
  changed.clear();
  known.clear();
  texts.clear();
}
