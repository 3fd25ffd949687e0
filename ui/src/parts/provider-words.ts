/** What is said about signing in with another site, and the way there. */
import { nothing, type TemplateResult } from "lit";
import { notice } from "./form";

/** What the way back has in the address's fragment when nobody was signed in and nothing was linked. */
const REFUSED = "refused:";

const WORDS: Record<string, string> = {
  attempt_invalid: "That took too long, or was used already. Begin again.",
  other_browser: "You began this in another browser, and it works only there. Begin again here.",
  provider_refused: "The other site did not say who you are: it was called off there, or it does not let you.",
  provider_failed: "The other site did not answer as it should. Try again in a moment. If it goes on, tell whoever manages your organisation.",
  account_unknown: "That account is not linked to anybody here. If you are here already, sign in by mail and link it under “Signing in”. If not, ask for an invitation.",
  mail_first: "Your organisation asks everybody for a second factor, and you have none yet. Sign in by mail once, and set one up.",
  account_taken: "That account is linked to somebody else here.",
  limit_reached: "You have as many linked accounts as there may be. Remove one first.",
  not_signed_in: "You were signed out meanwhile. Sign in and link the account again.",
  too_many_requests: "Too many tries. Wait a few minutes.",
  too_many_waiting: "Too many people wait to be let in already. Ask somebody there for an invitation.",
};

/** Whether the fragment says how a way to another site ended. */
export function isReturn(fragment: string): boolean {
  return fragment.startsWith(REFUSED);
}

/** How it ended, for a person. */
export function returnNotice(fragment: string): TemplateResult | typeof nothing {
  if (!isReturn(fragment)) return nothing;
  const code = fragment.slice(REFUSED.length);
  if (code === "waiting") return notice("info", "You have asked to join. You get a mail as soon as somebody has decided; until then there is nothing to do.");
  return notice("warn", WORDS[code] ?? "That did not work. Try again in a moment.");
}

/** Goes to the other site. Only the web is gone to, whatever the server says. */
export function leaveFor(url: string): void {
  const to = new URL(url);
  if (to.protocol !== "https:" && to.protocol !== "http:") throw new Error("The server named an address that is none of the web.");
  location.assign(to.href);
}
