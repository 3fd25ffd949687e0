/** What a group shares, in words, and who of it may do what. */
import { dayWords } from "../approvals/words";
import type { Given, GroupResource } from "./shared";
import { type Kind, KINDS } from "./words";

/** How long a grant lasts if nobody says otherwise. */
const USUAL_MS = 90 * 24 * 60 * 60 * 1000;

/** What a member may do with something; nothing if they were not let, or not any more. */
export function grantOf(resource: GroupResource, member: string, given: readonly Given[]): Given | undefined {
  return given.find((each) => each.group?.resource === resource.id && each.with === member && each.state === "given");
}

/** Which of the choices a person is shown that is. */
export function kindOf(scope: readonly string[]): Kind | undefined {
  return (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind].scope.length === scope.length && KINDS[kind].scope.every((each) => scope.includes(each)));
}

/** Until when another member may use it: as long as the others, or three months. */
export function untilFor(resource: GroupResource, given: readonly Given[], now: number): number {
  const others = given.filter((each) => each.group?.resource === resource.id && each.state === "given").map((each) => each.until);
  return others.length > 0 ? Math.max(...others) : now + USUAL_MS;
}

/** Bytes of what agents are told; the keeper has the last word. */
const SKILL_BYTES = 16 * 1024;

export function isTooLong(skill: string): boolean {
  return new TextEncoder().encode(skill).length > SKILL_BYTES;
}

/** How far a member is with it. */
export function standingWords(grant: Given | undefined, hasVault: boolean): string {
  if (!hasVault) return "Has not opened a vault yet";
  if (!grant) return "May not use it";
  if (grant.arrived === null) return "On its way to their vault";
  if ((grant.group?.revision ?? 0) > (grant.told ?? 0)) return `Has it, and what you changed is on its way to their vault; until ${dayWords(grant.until)}`;
  if (grant.calls === 0) return `Has it, and has not used it yet; until ${dayWords(grant.until)}`;
  return `Used ${grant.calls === 1 ? "once" : `${grant.calls} times`}; until ${dayWords(grant.until)}`;
}

/** How many may use something of a group now. It stays with whoever shares it, also when they have left the group and nobody may. */
export function usersWords(resource: GroupResource, given: readonly Given[]): string {
  const users = new Set(given.filter((each) => each.group?.resource === resource.id && each.state === "given").map((each) => each.with)).size;
  return users === 0 ? "Nobody may use it" : users === 1 ? "One person may use it" : `${users} people may use it`;
}
