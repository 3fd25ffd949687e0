/** A yes to what somebody shares in a group: it is given below what the agent would be told, and not before that is there. */
import type { Received } from "./shared";

type Offer = Pick<Received, "state" | "group">;

/** Whether what the agent would be told is looked up without being asked for. Where that failed, it is asked for again by hand. */
export function isShownByItself(offer: Offer, skill: string | undefined, busy: boolean, problem: string): boolean {
  return Boolean(offer.group) && offer.state === "offered" && skill === undefined && !busy && problem === "";
}

/** Whether a yes can be given. */
export function canAccept(offer: Offer, skill: string | undefined, busy: boolean, online: boolean): boolean {
  return offer.state === "offered" && skill !== undefined && !busy && online;
}
