/** What somebody loses who is suspended or removed, and what they leave behind, in words. */
import type { Losses } from "../api/http";

const counted = (n: number, one: string, many: string): string[] => (n === 0 ? [] : [`${n} ${n === 1 ? one : many}`]);

/** What they share, and what is shared with them, is always among it: only vaults know what, and how much. */
export function lossWords(losses: Losses): string {
  return [
    ...counted(losses.sessions, "sign-in", "sign-ins"),
    ...counted(losses.sign_in_links, "sign-in link", "sign-in links"),
    ...counted(losses.invitations, "open invitation that they sent", "open invitations that they sent"),
    ...counted(losses.groups, "place in a group", "places in groups"),
    ...counted(losses.api_keys, "API key", "API keys"),
    ...counted(losses.second_factors, "second factor", "second factors"),
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
