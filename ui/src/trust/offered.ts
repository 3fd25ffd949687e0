/** Of all people, those for whom something may be sealed; and who is left out because of their keys. */
import { html, nothing, type TemplateResult } from "lit";
import { notice } from "../parts/form";
import type { Contact, Known } from "./identities";

export function offered(known: readonly Known[]): Contact[] {
  return known.flatMap((each) => (each.keys.at === "pinned" ? [each.keys.contact] : []));
}

export function notOffered(known: readonly Known[]): TemplateResult | typeof nothing {
  const names = known.filter((each) => each.keys.at === "changed" || each.keys.at === "refused").map((each) => each.person.name);
  if (names.length === 0) return nothing;
  const [are, their] = names.length === 1 ? ["is", "the keys are"] : ["are", "their keys are"];
  return notice("warn", html`${names.join(", ")} ${are} not offered: ${their} not the ones that you know. Look at <a href="/trusted">Trusted people</a>.`);
}
