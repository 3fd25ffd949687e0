/** What this person shares with others, what others share with them, and what they are asked for; kept as the keeper tells it. */
import { effect, signal, untracked } from "@preact/signals-core";
import { announce } from "../app/announcer";
import { onEvent, onOpen, request, unlocked } from "../app/link";
import { whenWatched } from "../app/presence";
import { withProof } from "../app/proof";
import type { ActivityEntry } from "../channel/messages";
import { sentence } from "../parts/form";
import { relayWrongs } from "../secrets/activity-words";
import { loadServices } from "../secrets/services";
import { type Known, loadKnown } from "../trust/identities";

interface Terms {
  id: string;
  /** `service/<name>` or `service/<name>/<path>` */
  resource: string;
  scope: readonly string[];
  from: number;
  until: number;
  constraints: { max_calls?: number; rate?: unknown };
}

/** Somebody as this person knows them: nameless, where they are no contact, and without digits where their keys are not known either. */
export interface Somebody {
  user: string | null;
  name: string | null;
  fingerprint: string | null;
}

/** To whom something that this person shares was passed on. */
export interface PassedOn extends Terms {
  by: Somebody;
  to: Somebody;
  state: "given" | "stopped" | "over";
  calls: number;
  last_used: number | null;
}

/** What of a group's something is. */
export interface InGroup {
  resource: string;
  group: string;
  group_name: string;
  name: string;
  about: string;
  /** It is a server of tools. */
  tools?: boolean;
  /** How often its words were changed; left out while they are the first ones. */
  revision?: number;
}

/** What agents are told of something, and what they are to be told from now on if their owners like. */
export interface Told {
  skill: string;
  /** Absent in what a keeper of an older version says. */
  revision?: number;
  newer?: InGroup & { skill: string };
}

/** Something that this person, an admin of a group, lets its members use. */
export interface GroupResource {
  id: string;
  group: string;
  group_name: string;
  name: string;
  about: string;
  resource: string;
  skill: string;
  at: number;
  revision?: number;
}

/** The one request of which there may be a copy; `body` is base64url. */
export interface Cached {
  path: string;
  query: string;
  body: string;
}

/** What lies with somebody of what this person shares. */
export interface GivenCopy {
  as_of: number | null;
  bytes: number | null;
  on_its_way: boolean;
  /** Why there is no newer one. */
  problem: { code: string; words: string; since: number } | null;
}

/** What lies here of what somebody else shares. */
export interface HeldCopy {
  as_of: number;
  bytes: number;
}

/** Something that this person shares. */
export interface Given extends Terms {
  with: string;
  name: string;
  state: "given" | "stopped" | "over";
  calls: number;
  last_used: number | null;
  /** When the other vault said that it has it. */
  arrived: number | null;
  /** It did not reach them, or its newest words did not: it is offered again at the next unlock. */
  lost?: boolean;
  /** The newest words that the other vault said it has; left out while they are the first ones. */
  told?: number;
  group?: InGroup | null;
  /** The service is not the one any more that it was when this was shared: it is refused. */
  elsewhere?: boolean;
  /** When it was asked for while this vault was locked; until this person has seen that, or it is used. */
  missed?: number;
  /** Who has let them, where it was not this person but somebody who manages it for them. */
  by?: string;
  /** Whose it is, where this person has only passed it on. */
  of?: Somebody;
  passed_on?: readonly PassedOn[];
  cached?: Cached;
  copy?: GivenCopy;
}

/** Something that is shared with this person. */
export interface Received extends Terms {
  owner: string | null;
  name: string | null;
  fingerprint: string;
  /** `offered`: this person has not said yet that they want it; `left`: one of the two is not in the group any more. */
  state: "given" | "offered" | "stopped" | "left" | "over" | "unknown_owner";
  group?: InGroup | null;
  /** Whoever shares it has changed its words, and this person has not accepted that yet. */
  newer?: InGroup;
  /** Whose it is, where somebody else has passed it on. */
  passed_on?: Somebody;
  cached?: Cached;
  copy?: HeldCopy | null;
}

/** Somebody would like something. */
export interface Asked {
  id: string;
  user: string;
  name: string;
  words: string;
  at: number;
}

/** What a service said. */
export interface Answer {
  status: number;
  content_type: string;
  /** base64url */
  body: string;
  cut: boolean;
  /** Where it is out of a copy. */
  copy?: { as_of: number; owner: string };
}

export interface NewShare {
  with: string;
  resource: string;
  scope: readonly string[];
  until: number;
  constraints: { max_calls?: number };
  /** What may also be read while this person is asleep: what is shared, with this query or with these arguments of a tool. */
  cached?: { query?: string; body?: string };
}

/** What somebody does who manages what another shares with a group; `user` is a member. */
export type ManageRequest = { act: "look" } | { act: "grant"; user: string; scope: readonly string[]; until: number } | { act: "end"; user: string };

/** Who may use it, as the vault of whoever shares it says. */
export interface Managed {
  user: string;
  scope: readonly string[];
  until: number;
  /** Their vault has said that it has it. */
  arrived: boolean;
}

export interface Shared {
  given: readonly Given[];
  received: readonly Received[];
  asked: readonly Asked[];
  resources: readonly GroupResource[];
}

export const shared = signal<Shared | undefined>(undefined);
export const sharedProblem = signal("");
/** What the relay did wrong lately. */
export const ofRelay = signal<readonly ActivityEntry[]>([]);

/** The load that was begun last, since the vault was opened: what an earlier one brings after it is older. */
let newest: object | undefined;

/** The other vault has half a minute; this is a little more. */
const ANSWER_MS = 40_000;

/** Everything that a page of what is shared shows; gives whose keys are known here. */
export async function loadToShare(): Promise<readonly Known[]> {
  // First whose keys are whose: what is shared is known by keys alone.
  const known = await loadKnown();
  await Promise.all([loadServices(), loadShared()]);
  return known;
}

export async function loadShared(): Promise<void> {
  const own = (newest = {});
  try {
    const [{ given }, { received }, { asked }, { resources }] = await Promise.all([
      request<{ given: Given[] }>("share.given"),
      request<{ received: Received[] }>("share.received"),
      request<{ asked: Asked[] }>("share.asked"),
      request<{ resources: GroupResource[] }>("share.resources"),
    ]);
    const before = shared.peek();
    const noted = await request<{ entries: ActivityEntry[] }>("activity.list", { class: "person" }).catch(() => ({ entries: [] }));
    if (own !== newest) return;
    ofRelay.value = relayWrongs(noted.entries, Date.now());
    shared.value = { given, received, asked, resources };
    sharedProblem.value = "";
    tell(before, { given, received, asked, resources });
  } catch (error) {
    if (own === newest) sharedProblem.value = sentence(error);
  }
}

/** What is new since the last time. */
function tell(before: Shared | undefined, now: Shared): void {
  if (!before) return;
  const fresh = <T extends { id: string }>(all: readonly T[], known: readonly T[]) => all.find((each) => !known.some((old) => old.id === each.id));
  const came = fresh(now.received, before.received);
  if (came) announce(`${came.name ?? "Somebody"} shares something with you`);
  const changed = now.received.find((each) => each.newer && before.received.some((old) => old.id === each.id && old.newer?.revision !== each.newer?.revision));
  if (changed?.group) announce(`${changed.name ?? "Somebody"} has changed what your agent is told of ${changed.group.name}`);
  const asks = fresh(now.asked, before.asked);
  if (asks) announce(`${asks.name} asks you to share something`);
}

export async function share(terms: NewShare): Promise<void> {
  await withProof(() => request("share.issue", terms));
  await loadShared();
}

/** Passes on what somebody shares: never more than this person may. */
export async function passOn(terms: { id: string; with: string; scope: readonly string[]; until: number; constraints: Received["constraints"] }): Promise<void> {
  await withProof(() => request("share.pass_on", terms));
  await loadShared();
}

export async function stopSharing(id: string): Promise<void> {
  await request("share.revoke", { id });
  await loadShared();
}

/** This person has seen that somebody asked for it while their vault was locked. */
export async function seenMissed(id: string): Promise<void> {
  await request("share.seen", { id });
  await loadShared();
}

export async function forgetReceived(id: string): Promise<void> {
  await request("share.forget", { id });
  await loadShared();
}

export async function dismissAsked(id: string): Promise<void> {
  await request("share.dismiss", { id });
  await loadShared();
}

/** Keeps a service for a group; nobody may use it before they are let. */
export async function offerToGroup(resource: Omit<GroupResource, "id" | "at" | "revision">): Promise<GroupResource> {
  const made = await request<{ resource: GroupResource }>("share.offer", resource);
  await loadShared();
  return made.resource;
}

export async function grantInGroup(grant: { resource: string; with: string; scope: readonly string[]; until: number }): Promise<void> {
  await withProof(() => request("share.grant", grant));
  await loadShared();
}

/** Has the vault of whoever shares it do this; tells who may use it then. It waits as long as a use does. */
export async function manageReceived(id: string, asked: ManageRequest): Promise<readonly Managed[]> {
  const { members } = await withProof(() => request<{ members: readonly Managed[] }>("share.manage", { id, request: asked }, { answerMs: ANSWER_MS }));
  return members;
}

export async function withdrawResource(id: string): Promise<void> {
  await request("share.withdraw", { id });
  await loadShared();
}

/** Changes what something is called, what it is for and what agents are told of it: who may use it reads and accepts that first. */
export async function rewordResource(words: { resource: string; name: string; about: string; skill: string }): Promise<void> {
  await request("share.reword", words);
  await loadShared();
}

/** A yes to just these words. */
export async function acceptReceived(id: string, revision: number): Promise<void> {
  await request("share.accept", { id, revision });
  await loadShared();
}

/** What agents are told of something, for a person to read before they accept it. */
export function toldOf(id: string): Promise<Told> {
  return request<Told>("share.skill", { id });
}

/** How the tools are described that somebody shares with a group, asked through their vault. */
export function toolsOfReceived(id: string): Promise<Answer> {
  return request<Answer>("share.tools", { id }, { answerMs: ANSWER_MS });
}

/** Somebody came or went: what the groups do not allow any more ends now. Each use is asked for beside this, so it may fail. */
export async function lookAtGroups(): Promise<void> {
  await request("share.look_at_groups").catch(() => undefined);
}

export async function askFor(of: string, words: string): Promise<void> {
  await request("share.ask", { of, words });
}

/** Reads what somebody shares, through their vault; without a word of what, that of which there may be a copy. */
export function readReceived(id: string, what: { path?: string; query?: string } = {}): Promise<Answer> {
  return request<Answer>("share.use", { id, ...what }, { answerMs: ANSWER_MS });
}

/** Reads again what there is a copy of, and sends it to whom it is for. */
export async function refreshCopy(id: string): Promise<void> {
  await request("share.refresh", { id }, { answerMs: ANSWER_MS });
  await loadShared();
}

onOpen(() => {
  // The page loads it; what stands already is renewed.
  if (newest) void loadShared();
});
const renew = () => newest && void loadShared();
onEvent((event) => {
  if (event === "shares") whenWatched(renew);
});
effect(() => {
  if (unlocked.value) return;
  untracked(() => {
    newest = undefined;
    shared.value = undefined;
    sharedProblem.value = "";
    ofRelay.value = [];
  });
});
