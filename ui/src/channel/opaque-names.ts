/** What OPAQUE is told besides the secret, and the one form of the secret (docs/protocol.md, section 1.1). */

export interface Identifiers {
  client: string;
  server: string;
}

/** Both sides' names: a login for one slot of one cell fits no other. */
export function identifiers(slot: string, cell: string): Identifiers {
  return { client: `holdfast/slot/${slot}`, server: `holdfast/cell/${cell}` };
}

/** What a person types is normalised, so that the same characters from another keyboard are the same password. */
export function normalisedPassword(text: string): string {
  return text.normalize("NFKC");
}
