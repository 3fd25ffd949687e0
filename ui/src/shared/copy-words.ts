/** Copies of what is shared, for when whoever shares it sleeps: what may have one, and in sentences. */
import type { Route } from "../channel/messages";
import { bytes } from "../admin/format";
import type { Given, GivenCopy, HeldCopy, Received } from "./shared";
import { dayWords, type Kind } from "./words";

/** What is chosen in the form beside the copy. */
export interface Beside {
  kind: Kind;
  passOn: boolean;
  /** As it was typed. */
  most: string;
  path: string;
  route: Route | undefined;
}

/** Whether a copy can be made: of what is read alone, uncounted and not passed on; of a server of tools, of one tool that reads. */
export function canBeCopied({ kind, passOn, most, path, route }: Beside): boolean {
  if (kind !== "read" || passOn || most.trim() !== "" || !route) return false;
  return !route.tools || route.tools[path]?.does === "read";
}

/** Whether these are arguments of a tool: a JSON object, or nothing. */
export function areArguments(typed: string): boolean {
  if (typed.trim() === "") return true;
  try {
    const value: unknown = JSON.parse(typed);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** What is read back beside the rest before anything is shared. */
export function copyReadBack(name: string): string {
  return `They may also read it while you are asleep: a copy lies in ${name}’s vault. When you stop sharing, ${name}’s agent is told to destroy it; a copy that somebody kept cannot be taken back.`;
}

/** What lies with somebody, for whoever shares it. */
export function givenCopyWords(name: string, copy: GivenCopy, state: Given["state"]): string {
  const there = copy.as_of !== null && copy.bytes !== null;
  if (state !== "given") return there || copy.on_its_way ? `A copy lay in ${name}’s vault. ${name}’s agent is told to destroy it; a copy that somebody kept cannot be taken back.` : "";
  if (!there) return copy.on_its_way ? `A copy is on its way to ${name}’s vault: it gets there when they open it.` : `No copy lies in ${name}’s vault yet.`;
  return `A copy lies in ${name}’s vault: ${bytes(copy.bytes ?? 0)}, as of ${dayWords(copy.as_of ?? 0)}.${copy.on_its_way ? " A newer one is on its way." : ""}`;
}

/** What lies here of somebody else’s. */
export function heldCopyWords(owner: string | null, copy: HeldCopy | null | undefined): string {
  const sleeps = `while ${owner ? `${owner}’s` : "their"} agent sleeps`;
  return copy ? `Copy, as of ${dayWords(copy.as_of)} (${bytes(copy.bytes)}). It is read ${sleeps}, and is destroyed here when it is not shared with you any more.` : `You may also read it ${sleeps}. No copy has come yet.`;
}

/** What is asked for first: what there may be a copy of, else nothing in particular. */
export function firstRequest(received: Received, path: string): { path: string; query: string } {
  return received.cached ? { path: received.cached.path, query: received.cached.query } : { path, query: "" };
}

/** Whether this asks for just what there may be a copy of. */
export function isOfCopy(received: Received, path: string, query: string): boolean {
  return received.cached?.path === path && received.cached.query === query;
}
