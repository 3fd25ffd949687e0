/** Calls that the keeper paused because there were far more than usual; kept as it tells them. */
import { effect, signal, untracked } from "@preact/signals-core";
import { alertNow, announce } from "../app/announcer";
import { onEvent, onOpen, request, unlocked } from "../app/link";
import { whenWatched } from "../app/presence";
import { sentence } from "../parts/form";
import { serviceOf } from "../shared/words";

/** Of one service, by the agent or by one person. */
export interface Paused {
  /** None for the agent at this person's own services. */
  user: string | null;
  /** It is this person's agent, at what `user` shares with them. */
  own_agent?: boolean;
  name: string;
  service: string;
  at: number;
  /** It was calls that change something. */
  changes: boolean;
  calls: number;
  /** In a busy hour; zero while that is not known. */
  usual: number;
}

export const paused = signal<readonly Paused[]>([]);
export const pausedProblem = signal("");

/** "Bob’s agent", or "Your agent" */
export function whose({ user, own_agent, name }: Pick<Paused, "user" | "own_agent" | "name">): string {
  return user === null || own_agent ? "Your agent" : `${name}’s agent`;
}

/** The service, and whose it is where it is not this person's. */
export function whatWords({ own_agent, name, service }: Pick<Paused, "own_agent" | "name" | "service">): string {
  return own_agent ? `${name}’s ${service}` : service;
}

export function pausedWords(each: Paused): string {
  const did = each.changes ? `changed something in ${whatWords(each)}` : `asked ${whatWords(each)}`;
  const usual = each.usual > 0 ? `usual are ${each.usual.toLocaleString()} in a busy one` : "what is usual is not known yet";
  return `${whose(each)} ${did} more than ${each.calls.toLocaleString()} times in an hour; ${usual}. Paused.`;
}

const key = (each: Paused): string => `${pausedKey(each)}/${each.at}`;

/** Of one pause among those of now. */
export function pausedKey({ user, own_agent, service }: Paused): string {
  return `${own_agent ? "at-" : ""}${user ?? ""}/${service}`;
}

export async function loadPaused(): Promise<void> {
  try {
    const known = new Set(paused.peek().map(key));
    const list = (await request<{ paused: Paused[] }>("rate.paused")).paused;
    paused.value = list;
    pausedProblem.value = "";
    const fresh = list.find((each) => !known.has(key(each)));
    if (fresh) alertNow(pausedWords(fresh));
  } catch (error) {
    // A keeper from before this counts nothing.
    if ((error as { code?: string }).code !== "unknown_method") pausedProblem.value = sentence(error);
  }
}

export async function resume(each: Paused): Promise<void> {
  await request("rate.resume", { user: each.user, own_agent: each.own_agent ?? false, service: each.service });
  announce("It goes on");
  await loadPaused();
}

/** Takes back all that this person has of the service; then nothing of theirs is paused any more, and what is shared anew has no more room. */
export async function stopSharing(each: Paused): Promise<void> {
  const { given } = await request<{ given: { id: string; with: string; resource: string; state: string }[] }>("share.given");
  for (const share of given) {
    if (share.with === each.user && serviceOf(share.resource) === each.service && share.state === "given") await request("share.revoke", { id: share.id });
  }
  await request("rate.resume", { user: each.user, service: each.service, raise: false });
  announce("Stopped sharing");
  await loadPaused();
}

export function startPaused(): void {
  onOpen(() => void loadPaused());
  const load = () => unlocked.peek() && void loadPaused();
  onEvent((event) => {
    if (event === "rates") whenWatched(load);
  });
  effect(() => {
    if (unlocked.value) return;
    untracked(() => {
      paused.value = [];
      pausedProblem.value = "";
    });
  });
}
