/** What is shared, in sentences. */
import { fromBase64Url } from "../channel/bytes";
import { dayWords, laidOut, scopeWords } from "../approvals/words";
import type { Answer } from "./shared";

export { dayWords, resourceWords, scopeWords } from "../approvals/words";

/** What a person chooses from; reading includes seeing what is there. */
export const KINDS = {
  read: { words: "Only look at it", scope: ["read", "list"] },
  write: { words: "Look at it and change it", scope: ["read", "list", "write"] },
  delete: { words: "Look at it, change it and delete in it", scope: ["read", "list", "write", "delete"] },
} as const;

export type Kind = keyof typeof KINDS;

/** What somebody may do beside using it. */
export interface More {
  passOn: boolean;
  /** To say what others may do with it. */
  manage: boolean;
}

/** What is signed for one of them, in the order that it is written in. */
export function scopeOf(kind: Kind, more: Partial<More> = {}): readonly string[] {
  return [...KINDS[kind].scope, ...(more.manage ? ["admin"] : []), ...(more.passOn ? ["share"] : [])];
}

/** Which of the choices that a person is shown it is, whatever may be done beside using it. */
export function kindOf(scope: readonly string[]): Kind | undefined {
  const using = scope.filter((each) => each !== "admin" && each !== "share");
  return (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind].scope.length === using.length && KINDS[kind].scope.every((each) => using.includes(each)));
}

export function moreOf(scope: readonly string[]): More {
  return { passOn: scope.includes("share"), manage: scope.includes("admin") };
}

/** Of these kinds, those that allow no more than somebody has: who may read and not list may still let others read. */
export function kindsWithin(scope: readonly string[]): readonly Kind[] {
  const reads = scope.includes("read") || scope.includes("list");
  return (Object.keys(KINDS) as Kind[]).filter((kind) => (kind === "read" ? reads : reads && KINDS[kind].scope.every((each) => each === "read" || each === "list" || scope.includes(each))));
}

/** "look at it until Friday": what a list of kinds comes to for somebody. */
export function mayWords(scope: readonly string[]): string {
  const kind = kindOf(scope);
  if (!kind) return scopeWords(scope);
  const { words } = KINDS[kind];
  const { passOn, manage } = moreOf(scope);
  const more = [...(passOn ? ["pass it on"] : []), ...(manage ? ["manage it"] : [])];
  const all = [`${words.charAt(0).toLocaleLowerCase()}${words.slice(1)}`, ...more];
  return more.length === 0 ? (all[0] ?? "") : `${all.slice(0, -1).join(", ")}, and ${all.at(-1)}`;
}

/** That somebody asked for what this person shares while nobody was there. */
export function missedWords(name: string, at: number): string {
  return `${name}, or their agent, asked for it on ${dayWords(at)}, while your vault was locked or out of reach. It was not done; they are told that they can ask again.`;
}

/** How far something is that has not arrived, behind what is said of it; nothing where it has. */
export function arrivalWords({ name, arrived, lost }: { name: string; arrived: number | null; lost?: boolean }): string {
  if (arrived !== null) return "";
  if (lost) return `. It did not reach ${name}’s vault: it is offered again when you next unlock yours`;
  return `. On its way to ${name}’s vault: it gets there when they open it`;
}

/** A number from 1 on, as it was typed. */
export function wholeNumber(typed: string): number | undefined {
  return /^[1-9]\d{0,5}$/.test(typed.trim()) ? Number(typed) : undefined;
}

/** Somebody, by the name that this person has for them. */
export function whoWords(who: { name: string | null } | undefined): string {
  return who?.name ?? "somebody you do not know";
}

/** The last moment of a day that was typed as `2026-12-04`, where this person is; nothing if it is none. */
export function endOfDay(day: string): number | undefined {
  const at = new Date(`${day}T23:59:59`).getTime();
  return Number.isNaN(at) ? undefined : at;
}

/** A day as a field for days has it. */
export function dayField(at: number): string {
  const day = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** What is shared, as it is written: the service, and below it a path if there is one. */
export function resource(service: string, path: string): string {
  const below = path.trim().replace(/^\/+|\/+$/g, "");
  return below === "" ? `service/${service}` : `service/${service}/${below}`;
}

/** The path of what is shared, with its first stroke; empty for all of a service. */
export function pathOf(name: string): string {
  const [, , ...path] = name.split("/");
  return path.length > 0 ? `/${path.join("/")}` : "";
}

/** The service's name. */
export function serviceOf(name: string): string {
  return name.split("/")[1] ?? "";
}

/** The sentence that reads it back before anything is shared. */
export function readBack(name: string, kind: Kind, service: string, path: string, until: number, most: number | undefined, more: Partial<More> = {}): string {
  const what = path.trim() === "" ? service : `what is below /${path.trim().replace(/^\/+/, "")} of ${service}`;
  const times = most === undefined ? "" : most === 1 ? ", once" : `, ${most} times at most`;
  const doing = { read: `look at ${what}`, write: `look at ${what} and change it`, delete: `look at ${what}, change it and delete in it` }[kind];
  return `${name} and their agent may ${doing} until ${dayWords(until)}${times}${more.passOn ? `, and ${name} may pass it on` : ""}.`;
}

/** What a service said, for reading: JSON is laid out, what is no text is only measured. */
export function answerWords(answer: Answer): string {
  const bytes = fromBase64Url(answer.body);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: !answer.cut }).decode(bytes);
  } catch {
    return `${bytes.length} bytes that are no text (${answer.content_type || "of an unknown kind"})`;
  }
  return laidOut(text);
}
