/** What is said of the owner who was invited to an organisation. */
import type { OwnerInvited } from "./api";

/** After an invitation was made; the second is whether something went wrong. */
export function invitedWords(organisation: string, owner: OwnerInvited): [string, boolean] {
  if (owner.delivery === "failed") return [`The mail server did not take the mail to ${owner.email}. Look at the server’s log, then send it again on the page of ${organisation}.`, true];
  return [`${owner.email} gets a mail with a link, good until ${new Date(owner.expires_at).toLocaleDateString()}. Whoever opens it owns ${organisation}.`, false];
}

/** While nobody has come. */
export function waitingWords(owner: OwnerInvited | undefined): string {
  if (!owner) return "Nobody is in it, and nobody was invited to own it.";
  if (owner.expired) return `Nobody is in it: ${owner.email} did not open the link in time.`;
  return `Nobody is in it yet: ${owner.email} was invited to own it and has until ${new Date(owner.expires_at).toLocaleDateString()} to open the link in the mail.`;
}
