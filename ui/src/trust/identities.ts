/**
 * The keys that other people know this person by, and the keys of the others. The platform carries them and could swap them:
 * the keeper remembers whose are whose, and two people who compare their digits know that nobody did.
 */
import { signal } from "@preact/signals-core";
import { api, type Person, Problem } from "../api/http";
import { me } from "../app/account";
import { onOpen, request } from "../app/link";
import { ChannelError, type KnownKeys } from "../channel/messages";
import { withStepUp } from "../parts/step-up";

export interface Contact extends KnownKeys {
  user: string;
  name: string;
  pinned_at: number;
}

/** Somebody of the organisation, with what is known of their keys. */
export interface Known {
  person: Person;
  /** `none`: they have not opened a vault yet. */
  keys: { at: "none" } | { at: "pinned"; contact: Contact } | { at: "changed"; message: string; contact?: Contact | undefined } | { at: "refused"; message: string };
}

export interface OwnKeys {
  bundle: string;
  fingerprint: string;
}

export const ownKeys = signal<OwnKeys | undefined>(undefined);
/** The platform knows this person by the keys of another vault, and takes these from nobody who has not just shown who they are. */
export const otherKeysKnown = signal(false);

/** Tells the platform this vault's public keys, so that others can find them; again at each unlock, in case it lost them. */
export async function publish(): Promise<void> {
  const keys = await request<OwnKeys>("identity.get");
  ownKeys.value = keys;
  try {
    await api.publishIdentity(keys.bundle);
    otherKeysKnown.value = false;
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "step_up_needed") throw error;
    otherKeysKnown.value = true;
  }
}

/** The same, by somebody who shows who they are where that is asked for. */
export async function publishAsNew(keys: OwnKeys): Promise<boolean> {
  const done = await withStepUp(async () => {
    await api.publishIdentity(keys.bundle);
    return true;
  });
  if (done) otherKeysKnown.value = false;
  return done === true;
}

export function startIdentities(): void {
  onOpen(() => {
    // Nothing here waits for it: the next unlock does it again.
    void publish().catch(() => undefined);
  });
}

/** Everybody else, by name. Keys that are seen for the first time are remembered now. */
export async function loadKnown(): Promise<Known[]> {
  const [{ people }, { identities }, { contacts }] = await Promise.all([api.people(), api.identities(), request<{ contacts: Contact[] }>("contact.list")]);
  const bundles = new Map(identities.map((each) => [each.user, each.bundle]));
  const pinned = new Map(contacts.map((each) => [each.user, each]));
  const known: Known[] = [];
  for (const person of people.filter((each) => each.id !== me()?.user.id)) known.push({ person, keys: await look(person, bundles.get(person.id), pinned.get(person.id)) });
  return known;
}

async function look(person: Person, bundle: string | undefined, contact: Contact | undefined): Promise<Known["keys"]> {
  if (bundle === undefined) return contact ? { at: "pinned", contact } : { at: "none" };
  try {
    return { at: "pinned", contact: await request<Contact>("contact.pin", { user: person.id, name: person.name, bundle }) };
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    if (error.code === "identity_changed") return { at: "changed", message: error.message, contact };
    if (error.code === "identity_refused" || error.code === "own_identity") return { at: "refused", message: error.message };
    throw error;
  }
}

/** The person has compared these digits with their owner. */
export function compared(contact: Contact): Promise<Contact> {
  return request<Contact>("contact.compared", { user: contact.user, fingerprint: contact.fingerprint });
}

/** Forgets somebody's keys, so that the ones on offer are taken in their place. */
export async function forget(user: string): Promise<void> {
  await request("contact.forget", { user });
}
