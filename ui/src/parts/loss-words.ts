/** What somebody loses who is suspended or removed, and what they leave behind, in words. */
import type { Losses } from "../api/http";

const counted = (n: number, one: string, many: string): string[] => (n === 0 ? [] : [`${n} ${n === 1 ? one : many}`]);

/** Which they are, in brackets behind how many: the server names the first of them. */
function named(all: number, names: readonly string[]): string {
  const more = all > names.length ? [`${all - names.length} more`] : [];
  return names.length === 0 ? "" : ` (${[...names, ...more].join(", ")})`;
}

const which = (n: number, one: string, many: string, names: readonly string[]): string[] => counted(n, one, many).map((words) => `${words}${named(n, names)}`);

/** What they share, and what is shared with them, is always among it: only vaults know what, and how much. */
export function lossWords(losses: Losses): string {
  return [
    ...which(losses.sessions, "sign-in", "sign-ins", losses.named.sessions.map((device) => device || "a device that is not known")),
    ...counted(losses.sign_in_links, "sign-in link", "sign-in links"),
    ...counted(losses.invitations, "open invitation that they sent", "open invitations that they sent"),
    ...which(losses.groups, "place in a group", "places in groups", losses.named.groups),
    ...which(losses.api_keys, "API key", "API keys", losses.named.api_keys.map(({ name, hint }) => `“${name}”, ${hint}…`)),
    ...counted(losses.second_factors, "second factor", "second factors"),
    ...counted(losses.linked_accounts, "account elsewhere that they sign in with", "accounts elsewhere that they sign in with"),
    ...counted(losses.push_devices, "device that is told what waits for them", "devices that are told what waits for them"),
    ...counted(losses.alerts, "alert that is mailed to them", "alerts that are mailed to them"),
    "whatever they share and is shared with them",
    "the use of their agent",
  ].join(", ");
}

/** What goes on without them although they made it, as a sentence to follow another; empty where there is nothing. */
export function leftWords(losses: Losses): string {
  const left = [
    ...counted(losses.service_keys_left, "key of a service account that they made and may know", "keys of service accounts that they made and may know"),
    ...counted(losses.destinations_left, "destination of alerts that they added", "destinations of alerts that they added"),
  ];
  return left.length === 0 ? "" : ` What stays with the organisation: ${left.join(", ")}. Replace such keys, and look where such destinations lead.`;
}

/** What is not over at once, as a sentence to follow another. */
export function stillGoing(losses: Losses): string {
  switch (losses.cell) {
    case "stopping":
      return " Their agent is being stopped in what it does.";
    case "removing":
      return " What is left of their agent is being deleted, and this is tried again until it is done.";
    default:
      return "";
  }
}
