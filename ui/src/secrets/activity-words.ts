/** What was done, as a sentence. */
import type { ActivityEntry } from "../channel/messages";

/** Why the relay did not take something, or gave it back. */
const UNDELIVERED: Readonly<Record<string, string>> = {
  no_such_mailbox: "it has never been there",
  mailbox_full: "too much waits for them already",
  too_many_of_yours: "too much of yours waits for them already",
  expired: "it waited for a week, and they did not open it",
};

export function activityWords({ what, name, to, why }: ActivityEntry): string {
  const secret = name ? `“${name}”` : "a secret";
  const where = to ? ` for ${to}` : "";
  const reason = why ? `: ${why}` : "";
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
      return `You asked the service “${to ?? ""}” for its tools, with ${secret}`;
    case "route_saved":
      return `You connected the service ${to ?? ""}${name ? ` with “${name}”` : ""}${why === "unasked" ? ". Your agent changes things there without asking you, and asks before it deletes" : ""}`;
    case "route_deleted":
      return `You removed the service ${to ?? ""}`;
    case "egress_changed":
      return `You changed where your agent may connect${reason}`;
    case "spending_changed":
      return `You changed the spending limits${reason}`;
    case "models_changed":
      return `You changed your models${to ? `: ${to}` : ""}`;
    case "second_changed":
      if (why === "on: your organisation demands it") return "Your organisation wants a second person to agree";
      return `You changed whether a second person has to agree${reason}`;
    case "second_lost":
      if (why === "an answer") return `Your answer as the second person did not reach ${to ?? "whoever asked"}; it is sent again when you next unlock`;
      return `${to || "Somebody"} could not be asked to agree as the second person`;
    case "approval_given":
      if (why === "as the second person") return `You agreed, as the second person, to what ${to ?? "somebody"} had allowed`;
      if (why?.startsWith("by ")) return `A change at ${to ?? ""} was allowed ${why}`;
      return `You allowed ${to === "command" ? "a command" : `a change at ${to ?? ""}`}${why ? `, ${why}` : ""}`;
    case "approval_denied":
      if (why === "as the second person") return `You refused, as the second person, what ${to ?? "somebody"} had allowed`;
      if (why?.startsWith("by ")) return `A change at ${to ?? ""} was refused ${why}`;
      return `You refused ${to === "command" ? "a command" : `a change at ${to ?? ""}`}`;
    case "rule_removed":
      return "You took back what you had allowed beforehand";
    case "commands_changed":
      return why === "asks first" ? "You want to be asked before commands are run" : "You do not want to be asked before commands are run";
    case "away_changed":
      return why === "told" ? "You want a mail when your agent waits for you" : "You want no mail when your agent waits for you";
    case "rate_paused":
      return `Paused: ${why ?? "somebody"} called ${to ?? "a service"} far more often than usual`;
    case "rate_resumed":
      return `You let ${why ?? "somebody"} go on with ${to ?? "a service"}`;
    case "rate_locked":
      return "Your vault was locked after several pauses within an hour";
    case "command_decided_elsewhere":
      return "A command ran that you had not allowed: something inside your agent’s cell said yes in your place";
    case "commands_unseen":
      return "So much went on in your agent’s cell at once that your keeper could not follow: whether a command ran there without your word is not known";
    case "approval_asked":
      if (why === "wants you as the second person") return `${to ?? "Somebody"} asked you to agree as the second person`;
      return `Your agent asked for ${to === "command" ? "a command" : `a change at ${to ?? ""}`}`;
    case "approval_used":
      return `Your agent did what you had allowed${to && to !== "command" ? ` at ${to}` : ""}${why ? `, by ${why}` : ""}`;
    case "not_delivered":
      return `Something that you or your agent sent to ${to || "somebody"} did not reach their vault: ${UNDELIVERED[why ?? ""] ?? "the relay did not take it"}. What you share is offered again when you next unlock; what you asked for in words is not sent again`;
    case "relay_wrong":
      return `The relay between vaults did not do what it should: something between you and ${to || "somebody"} was left out, repeated or made up. What did not fit was not believed`;
    case "relay_odd":
      return `Something between you and ${to || "somebody"} does not fit: it is missing, out of order or not to be read, or another relay is in use than before. The relay may have done that, or they, or a vault that was restored. What does not fit is not believed`;
    case "revocations_unknown":
      return `What ${to || "somebody"} has stopped sharing is not known for certain, as the relay keeps something of it back or exchanged it: all that they share counts as stopped until it is`;
    case "shared":
      if (why?.startsWith("by ")) return `${why.slice(3)}, who manages it for you, shared something of yours with ${to ?? "somebody"}`;
      return `You shared something with ${to ?? "somebody"}`;
    case "share_stopped":
      if (why?.startsWith("by ")) return `${why.slice(3)}, who manages it for you, stopped sharing something of yours with ${to ?? "somebody"}`;
      return `You stopped sharing something with ${to ?? "somebody"}`;
    case "share_copied":
      return `A copy of what you share went to ${to ?? "somebody"}`;
    case "copy_kept":
      return `A copy of what ${to || "somebody"} shares with you has come`;
    case "copy_read":
      return `A copy of what ${to || "somebody"} shares with you was read: their agent sleeps`;
    case "copy_destroyed":
      return `A copy of what ${to || "somebody"} shared with you was destroyed`;
    case "share_used":
      return `${to ?? "Somebody"} used what you share`;
    case "share_missed":
      return `${to || "Somebody"}, or their agent, asked for ${why ? `“${why}”` : "something of yours"} while your vault was locked or out of reach. It was not done; they are told that they can ask again`;
    case "owner_back":
      return `${to || "Somebody"}’s vault can be reached again. What was asked for meanwhile was not done: you and your agent can ask again`;
    case "received_used":
      return `Your agent used what ${to ?? "somebody"} shares with you`;
    case "share_refused":
      return `Refused: somebody tried to use what you share${reason}`;
    case "secret_used":
      return `Your agent used ${secret}${where}`;
    case "secret_seen":
      return `Your agent was told ${secret}`;
    case "model_called":
      return `Your agent called its model${to ? ` at ${to}` : ""}`;
    case "secret_refused":
      return `Refused: your agent tried to use ${name ? secret : "a service"}${where}${reason}`;
    case "egress_refused":
      return `Refused: your agent tried to reach ${to ?? "an address"}${reason}`;
    case "model_refused":
      return `Refused: a call to the model${to ? ` at ${to}` : ""}${reason}`;
    default:
      return [what, name, to, why].filter(Boolean).join(" · ");
  }
}

/** Whether it tells that the relay lies, that something did not arrive, was lost on the way, or does not fit. */
export function isOfRelay({ what }: ActivityEntry): boolean {
  return what === "relay_wrong" || what === "relay_odd" || what === "revocations_unknown" || what === "not_delivered";
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

/** What the relay did wrong within the last week. */
export function relayWrongs(entries: readonly ActivityEntry[], now: number): readonly ActivityEntry[] {
  return entries.filter((entry) => isOfRelay(entry) && now - entry.last < WEEK_MS);
}
