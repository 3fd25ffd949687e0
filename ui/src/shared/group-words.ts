/** What a group shares, in words, and who of it may do what. */
import type { Given, GroupResource } from "./shared";
import { dayWords, kindOf, moreOf, readBack, scopeWords } from "./words";

/** How long a grant lasts if nobody says otherwise. */
const USUAL_MS = 90 * 24 * 60 * 60 * 1000;

/** What a member may do with something; nothing if they were not let, or not any more. */
export function grantOf(resource: GroupResource, member: string, given: readonly Given[]): Given | undefined {
  return given.find((each) => each.group?.resource === resource.id && each.with === member && each.state === "given");
}

/** Until when another member may use it: as long as the others, or three months. */
export function untilFor(resource: GroupResource, given: readonly Given[], now: number): number {
  return usualUntil(given.filter((each) => each.group?.resource === resource.id && each.state === "given"), now);
}

/** As long as the longest of these, or three months. */
export function usualUntil(others: readonly { until: number }[], now: number): number {
  return others.length > 0 ? Math.max(...others.map((each) => each.until)) : now + USUAL_MS;
}

/** Bytes of what agents are told; the keeper has the last word. */
const SKILL_BYTES = 16 * 1024;

export function isTooLong(skill: string): boolean {
  return new TextEncoder().encode(skill).length > SKILL_BYTES;
}

/** The sentence that reads back what a member may do with something of a group; for whoever shares it, or for who manages it for them. */
export function grantWords(name: string, what: string, scope: readonly string[], until: number, owner = "you"): string {
  const { passOn, manage } = moreOf(scope);
  const kind = kindOf(scope);
  const uses = kind ? readBack(name, kind, what, "", until, undefined) : `${name} and their agent may ${scopeWords(scope)} until ${dayWords(until)}.`;
  const passes = passOn ? ` ${name} may pass it on to others in this group.` : "";
  return `${uses}${passes}${manage ? ` ${name} may manage it for ${owner}: say what other members may do with it, never more than ${name} may.` : ""}`;
}

/** How far a member is with it. */
export function standingWords(grant: Given | undefined, hasVault: boolean): string {
  if (!hasVault) return "Has not opened a vault yet";
  if (!grant) return "May not use it";
  const by = grant.by ? `. ${grant.by} let them` : "";
  const again = "did not reach their vault and is offered again when you next unlock yours";
  if (grant.arrived === null) return `${grant.lost ? `It ${again}` : "On its way to their vault"}${by}`;
  if ((grant.group?.revision ?? 0) > (grant.told ?? 0)) return `Has it, and what you changed ${grant.lost ? again : "is on its way to their vault"}${by}`;
  if (grant.calls === 0) return `Has it, and has not used it yet${by}`;
  return `Used ${grant.calls === 1 ? "once" : `${grant.calls} times`}${by}`;
}

/** How many may use something of a group now. It stays with whoever shares it, also when they have left the group and nobody may. */
export function usersWords(resource: GroupResource, given: readonly Given[]): string {
  const users = new Set(given.filter((each) => each.group?.resource === resource.id && each.state === "given").map((each) => each.with)).size;
  return users === 0 ? "Nobody may use it" : users === 1 ? "One person may use it" : `${users} people may use it`;
}
