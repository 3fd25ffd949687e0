/**
 * Web Push on this device: turning it on and off, and keeping it up. A message has no content: that it comes says that something waits.
 * The browser has the subscription, the server knows where it is reached, and both are kept together here.
 */
import { api, Problem } from "../api/http";
import { fromBase64Url } from "../channel/bytes";
import { registerPushWorker } from "../channel/trusted-urls";
import * as database from "../storage/database";

/** Whose device this is, under which id, and where it was reached last. */
interface Kept {
  user: string;
  id: string;
  endpoint: string;
}

/** Beside the tickets of accounts: one more store is another version of the database, which a page of before that is open would hold up. */
const STORE = "resume";
const KEY = "push";

/** What keeps a browser from being told. */
export type Obstacle = "unsupported" | "home_screen" | "blocked";

export function obstacle(): Obstacle | undefined {
  if (!("serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis)) return isAppleMobile() ? "home_screen" : "unsupported";
  return Notification.permission === "denied" ? "blocked" : undefined;
}

/** Their browsers have it for pages on the home screen alone. An iPad says that it is a Mac, which have no touch screen. */
function isAppleMobile(): boolean {
  return /iphone|ipad/i.test(navigator.userAgent) || (/mac os/i.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
}

async function subscription(): Promise<PushSubscription | null> {
  const registration = await navigator.serviceWorker?.getRegistration();
  return (await registration?.pushManager?.getSubscription()) ?? null;
}

/** The id of this device, where this person has turned it on here. */
export async function deviceHere(user: string): Promise<string | undefined> {
  const kept = await database.get<Kept>(STORE, KEY);
  return kept?.user === user && (await subscription()) ? kept.id : undefined;
}

/** Asks the person, in the browser's own words, and the browser's push service; then tells the server. */
export async function turnOn(user: string, publicKey: string): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") throw new Error("It stays off: the browser was not allowed to show notifications.");
  const made = await subscribe(publicKey);
  try {
    await add(user, made);
  } catch (error) {
    await made.unsubscribe();
    throw error;
  }
}

async function subscribe(publicKey: string): Promise<PushSubscription> {
  const { pushManager } = await registerPushWorker();
  // One of before may be of another key, or of somebody else who used this browser.
  await (await pushManager.getSubscription())?.unsubscribe();
  try {
    return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: fromBase64Url(publicKey) });
  } catch {
    throw new Error("This browser does not reach its push service. Some browsers have none, some have it turned off in their settings, and some networks block it. Nothing can be told here; mails come all the same.");
  }
}

async function add(user: string, { endpoint }: PushSubscription): Promise<void> {
  const { id } = await api.addPushDevice(endpoint);
  await database.put(STORE, KEY, { user, id, endpoint } satisfies Kept);
}

export async function turnOff(): Promise<void> {
  const kept = await database.get<Kept>(STORE, KEY);
  if (kept) await removeDevice(kept.id);
  await forgetHere();
}

/** One that is gone already is no failure. */
export async function removeDevice(id: string): Promise<void> {
  try {
    await api.removePushDevice(id);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Problem && error.status === 404;
}

/** The browser's half ends: what is still sent for it, its push service refuses, and the server forgets it. */
export async function forgetHere(): Promise<void> {
  await database.remove(STORE, KEY);
  await (await subscription())?.unsubscribe();
}

/** Somebody is signed in: what is told here is told to them, in this session, where the browser is reached now; or to nobody. */
export async function keepUp(user: string): Promise<void> {
  const kept = await database.get<Kept>(STORE, KEY);
  if (!kept) return;
  if (kept.user !== user) return forgetHere();
  const now = (await subscription()) ?? (await subscribeAgain());
  if (!now) return turnOff();
  try {
    await api.renewPushDevice(kept.id, now.endpoint);
    await database.put(STORE, KEY, { ...kept, endpoint: now.endpoint });
  } catch (error) {
    if (!isGone(error)) throw error;
    // Where the browser has moved, it is its place of before that was given up; else somebody took the device away.
    if (now.endpoint === kept.endpoint) await forgetHere();
    else await add(user, now);
  }
}

/** Browsers drop a subscription by themselves, some after a long time: it is made again while the person lets it be. */
async function subscribeAgain(): Promise<PushSubscription | undefined> {
  if (Notification.permission !== "granted") return undefined;
  const { public_key } = await api.push();
  return public_key === undefined ? undefined : subscribe(public_key);
}
