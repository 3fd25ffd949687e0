/** The resume ticket of an account: opens one more channel while the vault stays unlocked. Its secret is a key that cannot be exported. */
import { fromBase64Url, type Bytes } from "../channel/bytes";
import { sealResumeSecret } from "../channel/keys";
import type { ReadyEvent } from "../channel/messages";
import * as database from "./database";

export interface Ticket {
  ticket: Bytes;
  secret: CryptoKey;
}

export function readTicket(user: string): Promise<Ticket | undefined> {
  return database.get<Ticket>("resume", user);
}

export async function keepTicket(user: string, ready: ReadyEvent): Promise<void> {
  const secret = await sealResumeSecret(fromBase64Url(ready.secret));
  await database.put("resume", user, { ticket: fromBase64Url(ready.ticket), secret } satisfies Ticket);
}

export function forgetTicket(user: string): Promise<void> {
  return database.remove("resume", user);
}

/** A ticket works once, so tabs take turns with it. */
export function takingTurns<T>(user: string, work: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`holdfast.resume.${user}`, work);
}
