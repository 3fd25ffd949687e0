/** A yes to what somebody shares in a group, or to what they have changed: it is given below what the agent would be told, and not before that is there. */
import type { Received, Told } from "./shared";

type Offer = Pick<Received, "state" | "group" | "newer">;

/** The revision of the words that wait for a yes. */
export function waitingWords(offer: Offer): number | undefined {
  if (!offer.group) return undefined;
  if (offer.state === "offered") return offer.group.revision ?? 0;
  return offer.state === "given" && offer.newer ? (offer.newer.revision ?? 0) : undefined;
}

/** The words themselves, once they are there: just those that wait, and no earlier ones. */
export function wordsToAccept(offer: Offer, told: Told | undefined): string | undefined {
  const revision = waitingWords(offer);
  if (!told || revision === undefined) return undefined;
  if (offer.state === "offered") return (told.revision ?? 0) === revision ? told.skill : undefined;
  return told.newer && (told.newer.revision ?? 0) === revision ? told.newer.skill : undefined;
}

/** Whether what the agent would be told is looked up without being asked for. Where that failed, it is asked for again by hand. */
export function isShownByItself(offer: Offer, told: Told | undefined, busy: boolean, problem: string): boolean {
  return waitingWords(offer) !== undefined && wordsToAccept(offer, told) === undefined && !busy && problem === "";
}

/** Whether a yes can be given. */
export function canAccept(offer: Offer, told: Told | undefined, busy: boolean, online: boolean): boolean {
  return wordsToAccept(offer, told) !== undefined && !busy && online;
}
