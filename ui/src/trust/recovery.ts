/**
 * Recovery by contacts: setting it up, helping others, and asking for help. The browser carries letters and requests between the
 * keepers and the platform; what is released, and when, is decided in the contacts' keepers.
 */
import { computed, effect, signal } from "@preact/signals-core";
import { api, type OwnRequest, Problem, type RecoveryHints } from "../api/http";
import { me } from "../app/account";
import { onOpen, online, refreshStatus, request, slotNames, slots, unlocked, unlockSlot } from "../app/link";
import { isPresent } from "../app/presence";
import { withProof } from "../app/proof";
import { fromBase64Url, randomBytes, toBase64Url } from "../channel/bytes";
import { slotKek } from "../channel/keys";
import { ChannelError } from "../channel/messages";
import { OpaqueClient } from "../channel/opaque";
import { makeKey, type OneTimeKey, openSealedTo } from "../channel/sealed-to";
import { decodeShare, encodeRequest, joinShares, RELEASE_PURPOSE, requestCode, requestId } from "../channel/shares";
import { socialSecret } from "../channel/slot-secret";
import * as database from "../storage/database";
import { publish } from "./identities";

const LOOK_MS = 60_000;

export interface OwnRecovery {
  slot: string;
  version: number;
  threshold: number;
  wait_ms: number;
  made: number;
  contacts: { user: string; name: string }[];
  /** Of all this, by the vault: the platform believes nobody else. */
  signature: string;
}

export interface Held {
  user: string;
  name: string;
  since: number;
  threshold: number;
  count: number;
  wait_ms: number;
}

export interface Asked {
  id: string;
  user: string;
  name: string;
  seen: number;
  releases_at: number;
  answer: "open" | "approved" | "released" | "refused" | "stopped";
}

export interface Recovery {
  own: OwnRecovery | null;
  /** Where a recovery was ended and none was set up since: nobody is asked. */
  ended: OwnRecovery | null;
  held: Held[];
  asked: Asked[];
}

/** What the keeper says; none while the vault is locked. */
export const recovery = signal<Recovery | undefined>(undefined);
/** What the platform says: who is asked, and whether somebody asks in this person's name. */
export const hints = signal<RecoveryHints | undefined>(undefined);
/** The platform knows contacts that were chosen later than those that the keeper knows: the vault came out of an older copy. */
export const laterKnown = signal(false);
/** What could not be taken, in words for the person. */
export const postProblem = signal("");

let looking: Promise<void> | undefined;

/** Carries what waits in both directions, and looks for requests. */
export function lookAround(): Promise<void> {
  looking ??= look().finally(() => {
    looking = undefined;
  });
  return looking;
}

async function lookAtPlatform(): Promise<RecoveryHints> {
  const seen = await api.recovery();
  hints.value = seen;
  return seen;
}

async function look(): Promise<void> {
  const seen = await lookAtPlatform();
  if (!unlocked.peek()) return;
  await tellStopped(seen.stopped);
  await sendLetters();
  await takeLetters();
  for (const asked of seen.asked) await help(asked);
  const known = await request<Recovery>("recovery.get");
  recovery.value = known;
  const list = known.own ?? known.ended;
  // A vault from before anybody was chosen has no list at all.
  laterKnown.value = list === null ? seen.contacts.length > 0 : differs(list, seen) && (await tellPlatform(list, seen)) === "later_known";
}

/** Whether the platform would ask others than the keeper has given shares to: it was not reached when they were chosen. */
export function differs(own: OwnRecovery, seen: Pick<RecoveryHints, "contacts" | "threshold" | "wait_ms">): boolean {
  const chosen = new Set(own.contacts.map((each) => each.user));
  return own.threshold !== seen.threshold || own.wait_ms !== seen.wait_ms || chosen.size !== seen.contacts.length || seen.contacts.some((each) => !chosen.has(each.id));
}

/** What came of telling the platform: it knows, it did not take it now, or it keeps to others that were chosen later. */
type Told = "told" | "not_told" | "later_known";

/** Tells the platform whom the keeper has chosen; not again while it answers as it did when it was told: it names nobody who has left. */
async function tellPlatform(own: OwnRecovery, seen: RecoveryHints): Promise<Told> {
  const who = me();
  if (!who) return "not_told";
  const [toldKey, olderKey] = [`${who.user.id}/told`, `${who.user.id}/older`];
  const [told, older] = await Promise.all([toldKey, olderKey].map((key) => database.get<string>("recovery", key)));
  if (told === toldAnswer(own, seen)) return "told";
  if (older === toldAnswer(own, seen)) return "later_known";
  try {
    await nameContacts(own);
    await database.put("recovery", toldKey, toldAnswer(own, await lookAtPlatform()));
    return "told";
  } catch (error) {
    // What the person did meanwhile is done all the same; the next look tells it again.
    if (!(error instanceof Problem)) throw error;
    if (error.code !== "contacts_older") return "not_told";
    await database.put("recovery", olderKey, toldAnswer(own, seen));
    return "later_known";
  }
}

/** Names the contacts to the platform, as the vault has signed them. */
async function nameContacts(own: OwnRecovery): Promise<void> {
  const list = { slot: own.slot, made: own.made, contacts: own.contacts.map((each) => each.user), threshold: own.threshold, wait_ms: own.wait_ms, signature: own.signature };
  try {
    await api.recoveryContacts(list);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "identity_unknown") throw error;
    await publish();
    await api.recoveryContacts(list);
  }
}

function toldAnswer(own: OwnRecovery, seen: RecoveryHints): string {
  return JSON.stringify([own.slot, own.made, seen.threshold, seen.wait_ms, seen.contacts.map((each) => each.id).sort()]);
}

/** What the keeper was told of by this page: it makes the letters to the contacts' keepers once, whoever tells it again. */
const stopsTold = new Set<string>();

/** Has the keeper tell the contacts' keepers what was stopped, in whichever browser, also while the vault was locked. */
async function tellStopped(requests: readonly string[]): Promise<void> {
  for (const stopped of requests.filter((each) => !stopsTold.has(each))) {
    try {
      await request("recovery.stop", { id: requestId(fromBase64Url(stopped)) });
    } catch (error) {
      // There are no contacts any more who could release anything.
      if (!(error instanceof ChannelError) || error.code !== "not_set_up") throw error;
    }
    stopsTold.add(stopped);
  }
}

async function sendLetters(): Promise<void> {
  const { letters } = await request<{ letters: { id: string; to: string; sealed: string }[] }>("post.outbox");
  for (const letter of letters) {
    try {
      await api.sendLetter({ id: letter.id, to: letter.to, body: letter.sealed });
    } catch (error) {
      // Whom it is for has left: there is nobody to send it to any more.
      if (!(error instanceof Problem) || error.status !== 404) throw error;
    }
    await request("post.sent", { ids: [letter.id] });
  }
}

async function takeLetters(): Promise<void> {
  const { letters } = await api.letters();
  for (const letter of letters) {
    try {
      await request("post.take", { from: letter.from, name: letter.from_name, sealed: letter.body });
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      // Other keys than those that are known: it waits until the person has looked at it.
      if (error.code === "identity_changed") {
        postProblem.value = error.message;
        continue;
      }
      if (!["message_refused", "wrong_sender", "not_held", "own_identity"].includes(error.code)) throw error;
    }
    await api.lettersReceived([letter.id]);
  }
}

/** Shows the keeper a request, and passes on what it releases. */
async function help(asked: RecoveryHints["asked"][number]): Promise<void> {
  try {
    const seen = await request<Asked>("recovery.see", { user: asked.user.id, request: asked.request });
    if (asked.released || (seen.answer !== "approved" && seen.answer !== "released")) return;
    const { sealed } = await request<{ sealed: string }>("recovery.release", { id: seen.id });
    await api.releaseShare(asked.id, sealed);
  } catch (error) {
    // Too early, stopped, not held: the page says so where it shows the request.
    if (!(error instanceof ChannelError)) throw error;
  }
}

export function startRecovery(): void {
  const quietly = () => void lookAround().catch(() => undefined);
  onOpen(quietly);
  // Locked too: somebody may ask in this person's name.
  const askable = computed(() => me() !== undefined && slots.value.some((slot) => slot.kind === "social"));
  effect(() => {
    if (askable.value) quietly();
  });
  // Once its way in is taken away the platform is told at once that nobody is asked.
  const ended = computed(() => {
    const own = recovery.value?.own;
    return unlocked.value && own !== null && own !== undefined && !slots.value.some((slot) => slot.id === own.slot);
  });
  effect(() => {
    if (ended.value) quietly();
  });
  setInterval(() => {
    // Only while somebody is here: a page that is left open keeps neither the vault from locking nor the session from ending.
    if (!navigator.onLine || !isPresent()) return;
    if (online.peek()) quietly();
    else if (askable.peek()) void lookAtPlatform().catch(() => undefined);
  }, LOOK_MS);
}

/** Splits a new secret among contacts, in place of the recovery before. */
export function setRecovery(contacts: readonly string[], threshold: number, waitMs: number): Promise<void> {
  return withProof(async () => {
    const secret = randomBytes(32);
    const opaque = new OpaqueClient(socialSecret(secret));
    try {
      const { state, request: message } = await opaque.startRegistration();
      const { slot, response } = await request<{ slot: string; response: string }>("slot.register_start", { kind: "social", request: message });
      const { record, exportKey } = await opaque.finishRegistration(state, response, slotNames(slot));
      const kek = slotKek(exportKey, slot);
      const own = await request<OwnRecovery>("recovery.set", { slot, record, kek: toBase64Url(kek), secret: toBase64Url(secret), threshold, wait_ms: waitMs, contacts });
      kek.fill(0);
      await tellPlatform(own, await lookAtPlatform());
      await refreshStatus();
    } finally {
      secret.fill(0);
      opaque.close();
    }
    await lookAround();
  });
}

export async function approve(asked: Asked, code: string): Promise<void> {
  await request("recovery.approve", { id: asked.id, code });
  await lookAround();
}

export async function refuse(asked: Asked): Promise<void> {
  await request("recovery.refuse", { id: asked.id });
  await lookAround();
}

/** Somebody asks in this person's name, and it was not this person: ends it, and has the contacts' keepers told, now or once the vault is open. */
export async function stopRequest(own: OwnRequest): Promise<void> {
  await api.stopRecovery(false);
  if (unlocked.peek()) await tellStopped([own.request]);
  await lookAround();
}

/** A request of this browser: the key stays here. */
interface Kept {
  request: Uint8Array<ArrayBuffer>;
  key: OneTimeKey;
}

export interface Progress {
  code: string;
  have: number;
  threshold: number;
  /** Names of contacts whose part is damaged or belongs to another recovery. */
  wrong: string[];
  secret?: Uint8Array<ArrayBuffer>;
}

/** Asks the contacts, with a key that is made now. */
export async function ask(): Promise<void> {
  const who = me();
  const slot = slots.peek().find((each) => each.kind === "social");
  if (!who || !slot) throw new ChannelError("not_set_up", "No recovery by contacts is set up for this vault.");
  const key = await makeKey();
  const bytes = encodeRequest({ cell: who.cell.id, slot: slot.id, key: key.public, made: Date.now() });
  await database.put("recovery", who.user.id, { request: bytes, key } satisfies Kept);
  await api.askRecovery(toBase64Url(bytes));
  await lookAround();
}

/** How far this browser's own request is; undefined when there is none, or it was made in another browser. */
export async function progress(): Promise<Progress | undefined> {
  const who = me();
  const seen = hints.value;
  const kept = who ? await database.get<Kept>("recovery", who.user.id) : undefined;
  if (!kept || !seen?.request || seen.request.request !== toBase64Url(kept.request)) return undefined;
  const names = new Map(seen.contacts.map((each) => [each.id, each.name]));
  const shares = [];
  for (const release of seen.request.releases) {
    try {
      shares.push(decodeShare((await openSealedTo(kept.key, RELEASE_PURPOSE, kept.request, fromBase64Url(release.sealed))).message));
    } catch {
      shares.push(undefined);
    }
  }
  const joined = joinShares(shares);
  return {
    code: requestCode(kept.request),
    have: joined.have,
    threshold: joined.threshold || seen.threshold,
    wrong: joined.wrong.map((at) => names.get(seen.request?.releases[at]?.from ?? "") ?? "somebody"),
    ...(joined.secret ? { secret: joined.secret } : {}),
  };
}

/** Opens the vault with what the contacts have released. */
export async function openWith(secret: Uint8Array): Promise<void> {
  const slot = slots.peek().find((each) => each.kind === "social");
  if (!slot) throw new ChannelError("unknown_slot", "The recovery by contacts was replaced or ended.");
  await unlockSlot(slot, socialSecret(secret));
}

/** It is done: the request ends and its key is forgotten. */
export async function done(): Promise<void> {
  const who = me();
  if (who) await database.remove("recovery", who.user.id);
  await api.stopRecovery(true);
}
