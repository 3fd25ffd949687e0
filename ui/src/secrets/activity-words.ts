/** What was done, as a sentence. */
import { scopeWords } from "../approvals/words";
import type { ActivityEntry } from "../channel/messages";
import { agentRefused, holderRefused } from "./refusal-words";

/** Why the relay did not take something, or gave it back. */
const UNDELIVERED: Readonly<Record<string, string>> = {
  no_such_mailbox: "it has never been there",
  mailbox_full: "too much waits for them already",
  too_many_of_yours: "too much of yours waits for them already",
  expired: "it waited for a week, and they did not open it",
};

const DAY_MS = 24 * 60 * 60 * 1000;

/** "for 7 days" */
function forWords(until: number, from: number): string {
  const hours = Math.max(1, Math.round((until - from) / (60 * 60 * 1000)));
  if (hours < 48) return hours === 1 ? "for an hour" : `for ${hours} hours`;
  return `for ${Math.ceil((until - from) / DAY_MS).toLocaleString()} days`;
}

/** "read only, for 7 days" */
function termsWords({ asked, first }: ActivityEntry): string {
  const { scope = [], until } = asked ?? {};
  const reads = scope.length > 0 && scope.every((each) => each === "read" || each === "list");
  const parts = [...(scope.length > 0 ? [reads ? "read only" : `they may ${scopeWords(scope)}`] : []), ...(until === undefined ? [] : [forWords(until, first)])];
  return parts.length > 0 ? `: ${parts.join(", ")}` : "";
}

/** What the agent asked for, after "to": "share “calendar” with Bob: read only, for 7 days". */
function askedWords(entry: ActivityEntry): string {
  const { asked, to } = entry;
  const [who, service] = [to || "somebody", asked?.service ? `“${asked.service}”` : "something"];
  switch (asked?.kind) {
    case "share":
      return `share ${service} with ${who}${termsWords(entry)}`;
    case "call_service":
      return `change something at ${to || "a service"}`;
    case "call_shared":
      return `change something at ${service}, which ${who} shares with you`;
    case "ask_for_share":
      return `ask ${who} to share something`;
    case "run_command":
      return "run a command";
    default:
      // Of a keeper of before this, or of after.
      return to === "command" ? "run a command" : `do something${to ? ` that has to do with ${to}` : ""}`;
  }
}

export function activityWords(entry: ActivityEntry): string {
  const { what, name, to, why, asked } = entry;
  const secret = name ? `“${name}”` : "a secret";
  const where = to ? ` for ${to}` : "";
  const reason = why ? `: ${why}` : "";
  const shared = asked?.service ? `“${asked.service}”` : "something";
  switch (what) {
    case "secret_saved":
      return `You saved ${secret}`;
    case "secrets_imported":
      return `You brought in ${why ?? "secrets"}${to ? ` from ${to}` : ""}`;
    case "secret_deleted":
      return `You deleted ${secret}`;
    case "secret_revealed":
      return `You looked at ${secret}`;
    case "secrets_exported":
      return `You exported ${why ?? "your secrets"}${to ? ` to ${to}` : ""}`;
    case "route_asked":
      return `You asked ${to ? `the service “${to}”` : "a service"} for its tools, with ${secret}`;
    case "route_saved":
      return `You connected ${to ? `the service ${to}` : "a service"}${name ? ` with “${name}”` : ""}${why === "unasked" ? ". Your agent changes things there without asking you, and asks before it deletes" : ""}`;
    case "route_deleted":
      return `You removed ${to ? `the service ${to}` : "a service"}`;
    case "egress_changed":
      return `You changed where your agent may connect${reason}`;
    case "spending_changed":
      return `You changed the spending limits${reason}`;
    case "models_changed":
      return `You changed your models${to ? `: ${to}` : ""}`;
    case "second_changed":
      if (why === "on: your organisation demands it") return "Your organisation wants a second person to agree";
      if (why === "on") return "You want a second person to agree to what your agent changes";
      if (why === "off") return "You want no second person to agree any more";
      return "You changed whether a second person has to agree";
    case "second_lost":
      if (why === "an answer") return `Your answer as the second person did not reach ${to || "whoever asked"}; it is sent again when you next unlock`;
      return `${to || "Somebody"} could not be asked to agree as the second person`;
    case "approval_given":
      if (why === "as the second person") return `You agreed, as the second person, to what ${to || "somebody"} had allowed`;
      if (why?.startsWith("by ")) return `${why.slice(3)}, let your agent ${askedWords(entry)}`;
      return `You let your agent ${askedWords(entry)}${why ? ` (${why})` : ""}`;
    case "approval_denied":
      if (why === "as the second person") return `You refused, as the second person, what ${to || "somebody"} had allowed`;
      if (why?.startsWith("by ")) return `${why.slice(3)}, did not let your agent ${askedWords(entry)}`;
      return `You did not let your agent ${askedWords(entry)}`;
    case "rule_removed":
      return "You took back what you had allowed beforehand";
    case "commands_changed":
      return why === "asks first" ? "You want to be asked before commands are run" : "You do not want to be asked before commands are run";
    case "away_changed":
      return why === "told" ? "You want a mail when your agent waits for you" : "You want no mail when your agent waits for you";
    case "rate_paused":
      return `Paused: ${why || "somebody"} called ${to || "a service"} far more often than usual`;
    case "rate_resumed":
      return `You let ${why || "somebody"} go on with ${to || "a service"}`;
    case "rate_locked":
      return "Your vault was locked after several pauses within an hour";
    case "command_decided_elsewhere":
      return "A command ran that you had not allowed: something inside your agent’s cell said yes in your place";
    case "commands_unseen":
      return "So much went on in your agent’s cell at once that your vault could not follow: whether a command ran there without your word is not known";
    case "approval_asked":
      if (why === "wants you as the second person") return `${to || "Somebody"} asked you to agree as the second person`;
      return `Your agent asked you to let it ${askedWords(entry)}`;
    case "approval_used":
      return `Your agent did what you had allowed${why ? ` by ${why}` : ""}: to ${askedWords(entry)}`;
    case "not_delivered":
      return `Something that you or your agent sent to ${to || "somebody"} did not reach their vault: ${UNDELIVERED[why ?? ""] ?? "the relay did not take it"}. What you share is offered again when you next unlock; what you asked for in words is not sent again`;
    case "relay_wrong":
      return `The relay between vaults did not do what it should: something between you and ${to || "somebody"} was left out, repeated or made up. What did not fit was not believed`;
    case "relay_odd":
      return `Something between you and ${to || "somebody"} does not fit: it is missing, out of order or not to be read, or another relay is in use than before. The relay may have done that, or they, or a vault that was restored. What does not fit is not believed`;
    case "revocations_unknown":
      return `What ${to || "somebody"} has stopped sharing is not known for certain, as the relay keeps something of it back or exchanged it: all that they share counts as stopped until it is`;
    case "revocations_wait":
      return "What you stopped sharing is refused here at once; others’ vaults hear of it later, as the relay keeps no more of it for now. It is told to them by itself while your vault is open";
    case "shared":
      if (why?.startsWith("by ")) return `${why.slice(3)}, who manages it for you, shared ${asked?.service ? `your ${shared}` : "something of yours"} with ${to || "somebody"}${termsWords(entry)}`;
      return `You shared ${shared} with ${to || "somebody"}${termsWords(entry)}`;
    case "share_stopped":
      if (why?.startsWith("by ")) return `${why.slice(3)}, who manages it for you, stopped sharing something of yours with ${to || "somebody"}`;
      return `You stopped sharing something with ${to || "somebody"}`;
    case "share_copied":
      return `A copy of what you share went to ${to || "somebody"}`;
    case "copy_kept":
      return `A copy of what ${to || "somebody"} shares with you has come`;
    case "copy_read":
      return `A copy of what ${to || "somebody"} shares with you was read: their agent sleeps`;
    case "copy_destroyed":
      return `A copy of what ${to || "somebody"} shared with you was destroyed`;
    case "share_used":
      return `${to || "Somebody"} used ${why ? `“${why}”, which you share` : "what you share"}`;
    case "share_missed":
      return `${to || "Somebody"}, or their agent, asked for ${why ? `“${why}”` : "something of yours"} while your vault was locked or out of reach. It was not done; they are told that they can ask again`;
    case "owner_back":
      return `${to || "Somebody"}’s vault can be reached again. What was asked for meanwhile was not done: you and your agent can ask again`;
    case "received_used":
      return `Your agent used what ${to || "somebody"} shares with you`;
    case "share_refused":
      return `${to ? `${to}, or their agent,` : "Somebody whom you do not know"} was refused what you share${holderRefused(why)}`;
    case "secret_used":
      return `Your agent used ${secret}${where}`;
    case "secret_seen":
      return `Your agent was told ${secret}`;
    case "model_called":
      return `Your agent called its model${to ? ` at ${to}` : ""}`;
    case "secret_refused":
      return `Refused: your agent tried to use ${name ? secret : to ? `the service ${to}` : "a service"}${name ? where : ""}${agentRefused(why)}`;
    case "egress_refused":
      return `Refused: your agent tried to reach ${to || "an address"}${reason}`;
    case "model_refused":
      return `Refused: a call to the model${to ? ` at ${to}` : ""}${reason}`;
    default:
      return `Something happened that this page has no words for yet${to ? `; it has to do with ${to}` : ""}. Load the page again: it may be of an older version than your vault`;
  }
}

/** Whether it tells that the relay lies, that something did not arrive, was lost on the way, or does not fit. */
export function isOfRelay({ what }: ActivityEntry): boolean {
  return what === "relay_wrong" || what === "relay_odd" || what === "revocations_unknown" || what === "revocations_wait" || what === "not_delivered";
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

/** What the relay did wrong within the last week. */
export function relayWrongs(entries: readonly ActivityEntry[], now: number): readonly ActivityEntry[] {
  return entries.filter((entry) => isOfRelay(entry) && now - entry.last < WEEK_MS);
}
