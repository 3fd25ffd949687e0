/** The acts of the operator's log in plain words: between who did it and the name of what it was done to. */
import { actWords } from "../pages/audit-words";

/** Where they are others than in an organisation's log, since what is acted on is named with its kind, or nobody is known. */
const WORDS: Readonly<Record<string, string>> = {
  "operator.signed_in": "signed in",
  "operator.stepped_up": "showed the token again",
  "operator.signed_out": "signed out",
  "invitation.made": "invited as the owner",
  "organisation.suspended": "suspended the organisation",
  "organisation.restored": "let back in the organisation",
  "person.signed_out": "signed out",
  "cell.woken": "woke the cell of",
  "cell.paused": "paused the cell of",
  "cell.put_to_sleep": "put to sleep the cell of",
  "cell.restarted": "restarted the cell of",
  "key.refused": "came with a key that does not work:",
  "link.refused": "came with a link that does not work:",
};

export function operatorWords(action: string): string {
  return WORDS[action] ?? actWords(action);
}

/** Who did it: the operator, a tenant of the tenant API, or somebody who has shown nothing. */
export function whoWords(actor: { kind: string; name: string }): string {
  if (actor.kind === "operator") return "The operator";
  return actor.name === "" ? "Somebody" : actor.name;
}
