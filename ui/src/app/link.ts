/**
 * The connection to the person's keeper, kept up: opens, resumes after a loss or a reload, waits longer after each failure,
 * and says in one place how things stand. Everything else asks `request` and listens with `onEvent`.
 */
import { batch, computed, signal } from "@preact/signals-core";
import { api, type Me, Problem } from "../api/http";
import { fromBase64Url, toBase64Url } from "../channel/bytes";
import type { Channel } from "../channel/channel";
import { Handshake, type LoggedIn, type PlatformHint } from "../channel/handshake";
import { type CellEvent, ChannelError, type ReadyEvent, type SlotInfo, type SlotKind, type VaultState, type VaultStatus } from "../channel/messages";
import { type Identifiers, identifiers, normalisedPassword } from "../channel/opaque-names";
import { forgetHere } from "../push/push";
import { acceptProblem, pinProblem, type PinProblem, raisePin, readPin } from "../storage/pins";
import { forgetTicket, keepTicket, readTicket, takingTurns } from "../storage/resume";
import { adoptLocalKey, canSeal, forgetLocalKey, recallLocalKey } from "../storage/sealed";
import { account, me } from "./account";
import { setKeeperClock } from "./keeper-clock";

interface VaultEvent {
  vault?: VaultState;
  epoch?: number;
  reason?: "idle" | "asked" | "sleep" | "unusual";
  /** Everything was saved before it was locked. */
  saved?: boolean;
  locks_in_ms?: number;
  changed?: boolean;
}

/** Sealing what the agent has changed may take a while. */
const LOCK_MS = 90_000;

export type Link =
  | { at: "resting" }
  | { at: "connecting"; since: number; hint?: PlatformHint }
  | { at: "needs_secret" }
  | { at: "open" }
  | { at: "waiting"; retryAt: number; reason: string }
  | { at: "refused"; problem: PinProblem | "version"; message: string };

export const link = signal<Link>({ at: "resting" });
/** The vault as its keeper said last; unknown until then. */
export const vault = signal<VaultState | "unknown">("unknown");
export const slots = signal<SlotInfo[]>([]);
export const cell = signal<CellEvent | undefined>(undefined);
export const locksIn = signal<number | undefined>(undefined);
/** Since when the vault is being locked. */
export const locking = signal<number | undefined>(undefined);
export const lockReason = signal<"idle" | "asked" | "unusual" | undefined>(undefined);
/** Everything was saved before the last lock, as far as the keeper says. */
export const savedBeforeLock = signal(true);
export const phraseConfirmed = signal<boolean | undefined>(undefined);
/** Until when the agent may work while nobody is here. */
export const grantedUntil = signal<number | undefined>(undefined);
export const rotation = signal<VaultStatus["rotation"]>(undefined);

/** The vault is open here: conversations may be shown. Stays true through a short loss of the connection. */
export const unlocked = signal(false);
export const online = computed(() => link.value.at === "open" && unlocked.value);

let handshake: Handshake | undefined;
/** The cell that the last hello named; it is part of every OPAQUE exchange. */
let cellId = "";
/** The public key that the keeper of this channel has proved to have; unknown where a ticket resumed it. */
let keeperKey: string | undefined;
let channel: Channel | undefined;
let attempt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let opening: Promise<void> | undefined;
const listeners = new Set<(event: string, data: unknown) => void>();
const openListeners = new Set<() => void>();

export function onEvent(listener: (event: string, data: unknown) => void): void {
  listeners.add(listener);
}

/** Called each time that an unlocked channel stands, first or again. */
export function onOpen(listener: () => void): void {
  openListeners.add(listener);
}

export function request<T>(method: string, params: object = {}, options?: { signal?: AbortSignal; answerMs?: number }): Promise<T> {
  if (!channel || channel.closed) return Promise.reject(new ChannelError("closed", "There is no connection to your agent."));
  // Everything but a look at the vault's state counts as use, so the vault does not lock soon any more.
  if (method !== "vault.status") locksIn.value = undefined;
  return channel.request<T>(method, params, options);
}

function myself(): Me {
  const who = me();
  if (!who) throw new ChannelError("not_signed_in", "Sign in first.");
  return who;
}

function user(): string {
  return myself().user.id;
}

function channelUrl(): string {
  const url = new URL("/api/v1/channel", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

const refusals: Record<PinProblem, string> = {
  other_cell: "The server presented a different vault than the one this browser knows for your account.",
  other_keeper: "The server presented another keeper than the one this browser knows: it says that it is your cell, and has another key.",
  emptied: "The server presented an empty vault, but this browser has already opened yours.",
  rolled_back: "The server presented an older copy of your vault than the one this browser has seen.",
};

class Refused extends Error {
  readonly problem: PinProblem;
  constructor(problem: PinProblem) {
    super(refusals[problem]);
    this.problem = problem;
  }
}

async function openHandshake(): Promise<Handshake> {
  link.value = { at: "connecting", since: Date.now() };
  // Start the agent's place at once, while the person still reads or types; the channel itself does not wait for it.
  void api.wake().catch(() => undefined);
  const { token } = await api.gatewayToken();
  const opened = await Handshake.open(channelUrl(), token, (hint) => {
    if (link.peek().at === "connecting") link.value = { ...(link.peek() as { at: "connecting"; since: number }), hint };
  });
  cellId = opened.hello.cell;
  const pin = (await readPin(user())) ?? { cell: me()?.cell.id ?? cellId, epoch: 0 };
  const problem = pinProblem(pin, { cell: cellId, isNew: opened.hello.vault === "new" });
  if (problem) {
    opened.close();
    throw new Refused(problem);
  }
  batch(() => {
    vault.value = opened.hello.vault;
    slots.value = opened.hello.slots;
  });
  return opened;
}

function waitForSecret(opened: Handshake): void {
  handshake = opened;
  batch(() => {
    unlocked.value = false;
    link.value = { at: "needs_secret" };
  });
  opened.onclose(() => {
    if (handshake !== opened) return;
    // Nobody is typing into a dead connection: the next attempt, or the next key, opens a new one.
    handshake = undefined;
    if (link.peek().at === "needs_secret") link.value = { at: "resting" };
  });
}

async function open(): Promise<void> {
  let opened = await openHandshake();
  const ticket = opened.hello.vault === "unlocked" ? await readTicket(user()) : undefined;
  if (ticket && (await recallLocalKey(user()))) {
    try {
      const resumed = await takingTurns(user(), async () => {
        const current = await readTicket(user());
        if (!current) throw new ChannelError("ticket_unknown", "");
        const stands = await opened.resume(current.ticket, current.secret);
        await keepTicket(user(), stands.ready);
        return stands;
      });
      await established(resumed);
      return;
    } catch (error) {
      opened.close();
      if (!(error instanceof ChannelError) || !["ticket_unknown", "tampered", "malformed"].includes(error.code)) throw error;
      await forgetTicket(user());
      opened = await openHandshake();
    }
  }
  if (opened.hello.vault === "locked") await Promise.all([forgetTicket(user()), forgetLocalKey(user())]);
  waitForSecret(opened);
}

/** Opens the connection, or does nothing when one is there or on its way. */
export function connect(): Promise<void> {
  clearTimeout(timer);
  if (opening) return opening;
  if ((channel && !channel.closed) || (handshake && !handshake.closed) || link.peek().at === "refused") return Promise.resolve();
  opening = open()
    .then(() => {
      attempt = 0;
    })
    .catch(failed)
    .finally(() => {
      opening = undefined;
    });
  return opening;
}

function failed(error: unknown): void {
  if (error instanceof Refused) {
    link.value = { at: "refused", problem: error.problem, message: error.message };
    return;
  }
  if (error instanceof ChannelError && error.code === "version") {
    link.value = { at: "refused", problem: "version", message: error.message };
    return;
  }
  if (saysOver(error)) {
    void sessionOver(error);
    return;
  }
  retryLater(error instanceof Error ? error.message : String(error));
}

/** 0.5 s, doubling to 30 s, each shortened by up to a third so that many browsers do not come back at once. */
function retryLater(reason: string): void {
  const wait = Math.min(30_000, 500 * 2 ** attempt++) * (1 - Math.random() / 3);
  link.value = { at: "waiting", retryAt: Date.now() + wait, reason };
  clearTimeout(timer);
  timer = setTimeout(() => void connect(), wait);
}

async function established(stands: Channel, keeper?: string): Promise<void> {
  handshake = undefined;
  channel = stands;
  keeperKey = keeper;
  stands.onclose = (error) => {
    if (channel !== stands) return;
    channel = undefined;
    if (vault.peek() === "unlocked") retryLater(error.message);
    else link.value = { at: "resting" };
  };
  stands.listen(receive);
  if (stands.closed) throw new ChannelError("closed", "The connection ended.");
  vault.value = stands.ready.vault;
  if (stands.ready.vault === "unlocked" && canSeal()) await entered();
}

/** The channel stands and the vault is open: check that it is not an old copy, then let everyone begin. */
async function entered(): Promise<void> {
  const status = await request<VaultStatus>("vault.status");
  const problem = pinProblem(await readPin(user()), { cell: cellId, epoch: status.epoch });
  if (problem) {
    channel?.close();
    throw new Refused(problem);
  }
  await raisePin(user(), cellId, status.epoch, keeperKey);
  batch(() => {
    vault.value = "unlocked";
    told(status);
    lockReason.value = undefined;
    savedBeforeLock.value = true;
    locksIn.value = undefined;
    unlocked.value = true;
    link.value = { at: "open" };
  });
  for (const listener of openListeners) listener();
}

function receive(event: string, data: unknown): void {
  if (event === "cell") cell.value = data as CellEvent;
  // A slot was replaced: the ticket from before is worth nothing now.
  if (event === "ready") void keepTicket(user(), data as ReadyEvent);
  if (event === "vault") {
    const { vault: state, reason, saved, locks_in_ms, epoch, changed } = data as VaultEvent;
    if (changed) void refreshStatus().catch(() => undefined);
    if (locks_in_ms !== undefined) locksIn.value = Date.now() + locks_in_ms;
    if (epoch !== undefined && state === "unlocked") void raisePin(user(), cellId, epoch);
    if (state === "locked") void wentLocked(reason === "asked" || reason === "unusual" ? reason : "idle", saved);
  }
  for (const listener of listeners) listener(event, data);
}

async function wentLocked(reason: "idle" | "asked" | "unusual", saved = true): Promise<void> {
  const who = me()?.user.id;
  batch(() => {
    vault.value = "locked";
    unlocked.value = false;
    locksIn.value = undefined;
    grantedUntil.value = undefined;
    lockReason.value = reason;
    savedBeforeLock.value = saved;
    cell.value = undefined;
    link.value = { at: "resting" };
  });
  clearTimeout(timer);
  const ended = channel;
  channel = undefined;
  ended?.close();
  if (who) await Promise.all([forgetTicket(who), forgetLocalKey(who)]);
}

/** Takes what was refused for the person's own from now on, because they said so. */
export async function trustAnew(problem: PinProblem): Promise<void> {
  await acceptProblem(user(), problem);
  await Promise.all([forgetTicket(user()), forgetLocalKey(user())]);
  vault.value = "unknown";
  link.value = { at: "resting" };
  await connect();
}

async function ready(): Promise<Handshake> {
  if (!handshake || handshake.closed) {
    handshake = undefined;
    await connect();
  }
  if (handshake && !handshake.closed) return handshake;
  const now = link.peek();
  const why = now.at === "waiting" ? now.reason : now.at === "refused" ? now.message : "Your vault does not answer yet. Try again in a moment.";
  throw new ChannelError("unreachable", why);
}

/** What goes into OPAQUE for a secret of this kind, as a person gave it or as it was derived. */
export function opaqueSecret(kind: SlotKind, secret: string): string {
  return kind === "password" ? normalisedPassword(secret) : secret;
}

/** Opens the vault through one slot. */
export async function unlockSlot(slot: SlotInfo, secret: string): Promise<void> {
  const text = opaqueSecret(slot.kind, secret);
  const attempt = async () => {
    const shake = await ready();
    const { keeper } = (await readPin(user())) ?? {};
    await enter(await shake.login(slot.id, text, keeper), "vault.unlock");
  };
  try {
    await attempt();
  } catch (error) {
    if (error instanceof ChannelError && error.code === "other_keeper") {
      leave();
      const refused = new Refused("other_keeper");
      failed(refused);
      throw refused;
    }
    // A keeper that was locked a moment ago goes to sleep under the connection; another one wakes it.
    if (!(error instanceof ChannelError) || error.code !== "closed") throw error;
    await attempt();
  }
}

/** Opens the vault with the one password or recovery phrase that there is. */
export async function unlock(kind: SlotKind, secret: string): Promise<void> {
  await ready();
  const slot = slots.peek().find((each) => each.kind === kind);
  if (!slot) throw new ChannelError("unknown_slot", kind === "password" ? "This vault has no password." : "This vault has no such way in.");
  await unlockSlot(slot, secret);
}

/** Makes the vault, with its first password. */
export async function createVault(password: string): Promise<void> {
  const { claim } = await api.cell();
  const shake = await ready();
  const slot = await shake.register(claim ?? "", "password", normalisedPassword(password));
  await enter(await shake.login(slot, normalisedPassword(password)), "vault.create");
}

async function enter({ channel: stands, kek, keeper }: LoggedIn, method: "vault.create" | "vault.unlock"): Promise<void> {
  const who = user();
  await established(stands, keeper);
  const { local_key } = await request<{ local_key: string }>(method, { kek: toBase64Url(kek) });
  kek.fill(0);
  await adoptLocalKey(who, fromBase64Url(local_key));
  await keepTicket(who, stands.ready);
  try {
    await entered();
  } catch (error) {
    failed(error);
    throw error;
  }
}

/** Both names that OPAQUE is told for a slot of this vault. */
export function slotNames(slot: string): Identifiers {
  return identifiers(slot, cellId);
}

function told(status: VaultStatus): void {
  setKeeperClock(status.now);
  slots.value = status.slots;
  phraseConfirmed.value = status.phrase_confirmed;
  grantedUntil.value = status.granted_until ?? undefined;
  rotation.value = status.rotation;
}

export async function refreshStatus(): Promise<void> {
  const status = await request<VaultStatus>("vault.status");
  batch(() => told(status));
  await raisePin(user(), cellId, status.epoch);
}

/** Somebody is here: the time without use begins again. */
export async function extend(): Promise<void> {
  await request("vault.extend").catch(() => undefined);
}

/** Seals everything and wipes the keys, in the keeper and here. What was readable is off the screen before the keeper has answered. */
export async function lockNow(): Promise<void> {
  locking.value = Date.now();
  try {
    const { saved } = await request<{ saved?: boolean }>("vault.lock", {}, { answerMs: LOCK_MS });
    await wentLocked("asked", saved);
  } catch (error) {
    // The event that says "locked" may have come before the answer, and ended the connection.
    if (vault.peek() !== "locked") throw error;
  } finally {
    locking.value = undefined;
  }
}

function saysOver(error: unknown): error is Problem {
  return error instanceof Problem && (error.status === 401 || error.code === "factor_needed");
}

/** The session ended elsewhere, or by time: what was readable leaves the screen, and the password is asked for again. */
async function sessionOver({ status }: Problem): Promise<void> {
  const who = me();
  // Two heard of it at once.
  if (who === undefined) return;
  leave();
  account.value = status === 401 ? { at: "out", why: "over", organisation: who.tenant.id } : { at: "unknown" };
  await Promise.all([forgetTicket(who.user.id), forgetLocalKey(who.user.id)]);
}

let asking: Promise<void> | undefined;

/** Asks whether the session stands, so that nobody types their vault's password for one that is over. */
export function stillSignedIn(): Promise<void> {
  if (!me()) return Promise.resolve();
  asking ??= api
    .me()
    .then(
      () => undefined,
      // Without an answer nothing is known.
      (error: unknown) => (saysOver(error) ? sessionOver(error) : undefined),
    )
    .finally(() => {
      asking = undefined;
    });
  return asking;
}

function leave(): void {
  channel?.close();
  handshake?.close();
  channel = undefined;
  handshake = undefined;
  clearTimeout(timer);
  batch(() => {
    unlocked.value = false;
    vault.value = "unknown";
    cell.value = undefined;
    link.value = { at: "resting" };
  });
}

/** Ends the session of this browser; the vault locks by itself when it is not used. */
export async function signOut(): Promise<void> {
  const { user: { id: who }, tenant } = myself();
  await api.signOut();
  // At once: there is no moment in which somebody is signed in still, and asked to unlock or the platform asked for them.
  batch(() => {
    leave();
    // Whoever signs in next on this page is told nothing of this person's vault.
    lockReason.value = undefined;
    savedBeforeLock.value = true;
    account.value = { at: "out", why: "asked", organisation: tenant.id };
  });
  // A browser that cannot end what is told here now is told nothing all the same: the server has forgotten it.
  await Promise.all([forgetTicket(who), forgetLocalKey(who), forgetHere().catch(() => undefined)]);
}

/**
 * Back from a tunnel, a sleep or another tab: do not wait for the timer, and do not believe that a connection or a session from before still
 * stands; one that is dead tells nobody.
 */
export function watchNetwork(): void {
  const hurry = () => {
    if (link.peek().at === "waiting") {
      attempt = 0;
      void connect();
    } else if (link.peek().at === "open") channel?.probe();
  };
  addEventListener("online", hurry);
  addEventListener("focus", () => void stillSignedIn());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    hurry();
    void stillSignedIn();
  });
}
