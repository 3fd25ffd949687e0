/** When the agent's start that is seen began, and how long starts have taken: followed on every page, whether the card stands or not. */
import { effect, signal } from "@preact/signals-core";
import { byThisClock } from "../app/keeper-clock";
import { cell } from "../app/link";
import type { CellEvent, CellPhase } from "../channel/messages";
import { get, put } from "../storage/database";

/** How many starts the usual time is the median of. */
const KEPT_STARTS = 9;
/** What takes less is no start that anybody waits for. */
const SHORTEST_MS = 1000;

const STARTING: readonly CellPhase[] = ["opening_vault", "restoring_home", "starting_agent", "warming_up"];

export interface Start {
  phase: CellPhase;
  /** By this browser's clock. */
  began: number;
  /** By the keeper's clock, which may be another one. */
  since: number;
  /** Seen from its first step: only then does its end say how long it took. */
  whole: boolean;
}

/** The end of a start was not heard, as over a lost connection, and another one runs. */
function beganAgain(start: Start, phase: CellPhase): boolean {
  return (phase === "opening_vault" || phase === "restoring_home") && STARTING.indexOf(phase) < STARTING.indexOf(start.phase);
}

/** The start that runs after this event, if one does. */
export function startAfter(start: Start | undefined, before: CellPhase | undefined, event: CellEvent, now: number): Start | undefined {
  const { phase } = event;
  if (!STARTING.includes(phase)) return undefined;
  // A vault that is opened may have waited for its owner: that is no part of the start, and what comes after it says when it began.
  if (start && !beganAgain(start, phase)) return { ...start, phase, since: start.phase === "opening_vault" ? event.since : start.since };
  const opening = phase === "opening_vault";
  return { phase, began: opening ? now : byThisClock(event.since, now), since: event.since, whole: opening || phase === "restoring_home" || before !== undefined };
}

/** How long a start took that this event ends; undefined when it cannot be said. */
export function tookUntil(start: Start | undefined, event: CellEvent): number | undefined {
  if (event.phase !== "ready" || !start?.whole || start.phase === "opening_vault") return undefined;
  const took = event.since - start.since;
  return took < SHORTEST_MS ? undefined : took;
}

/** The start that runs. */
export const currentStart = signal<Start | undefined>(undefined);

export function followStarts(): () => void {
  let before: CellPhase | undefined;
  return effect(() => {
    const event = cell.value;
    if (!event) {
      before = undefined;
      currentStart.value = undefined;
      return;
    }
    const took = tookUntil(currentStart.peek(), event);
    currentStart.value = startAfter(currentStart.peek(), before, event, Date.now());
    before = event.phase;
    if (took !== undefined) void remember(took);
  });
}

async function remember(took: number): Promise<void> {
  const times = (await get<number[]>("timings", "start")) ?? [];
  await put("timings", "start", [...times, took].slice(-KEPT_STARTS));
}

/** How long a start usually takes here: the median of those that were seen whole. */
export async function usualStart(): Promise<number | undefined> {
  const sorted = ((await get<number[]>("timings", "start")) ?? []).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
