/** Cells in words: their states, what may be done in each, and the acts themselves with what came of them. */
import { html, type TemplateResult } from "lit";
import { confirmBox } from "../parts/confirm-box";
import { sentence } from "../parts/form";
import { icon } from "../parts/icon";
import type { IconName } from "../parts/icon-names";
import { type Cell, type CellAct, type CellState, operator } from "./api";
import { bytes, percent } from "./format";

export const STATES: readonly CellState[] = ["awake", "paused", "starting", "failed", "asleep"];

const WORDS: Record<CellState, { title: string; icon: IconName; tone: string }> = {
  awake: { title: "Awake", icon: "play", tone: "good" },
  paused: { title: "Paused", icon: "pause", tone: "plain" },
  starting: { title: "Starting", icon: "loader-circle", tone: "plain" },
  failed: { title: "Failed", icon: "triangle-alert", tone: "bad" },
  asleep: { title: "Asleep", icon: "moon", tone: "plain" },
};

export function stateTitle(state: CellState): string {
  return WORDS[state].title;
}

export function stateTag(state: CellState): TemplateResult {
  const { title, icon: name, tone } = WORDS[state];
  return html`<span class="state state-${tone}">${icon(name, "s")}${title}</span>`;
}

export const ACTS: Record<CellAct, { title: string; sure: string; words: string }> = {
  wake: { title: "Wake", sure: "Wake", words: "Its containers start. The vault stays locked until its owner opens it." },
  pause: { title: "Pause", sure: "Pause", words: "The agent is frozen until somebody uses it, and the vault locks. One that is in the middle of something is left alone." },
  sleep: { title: "Sleep", sure: "Put to sleep", words: "What is open is sealed, the vault locks, and both containers end. Whoever uses it next waits for a start." },
  restart: { title: "Restart", sure: "Restart", words: "What is open is sealed, both containers end and are made anew from the newest images. The vault is locked after it." },
};

export function actsFor(cell: Cell): CellAct[] {
  if (cell.owner.suspended) return cell.state === "asleep" ? [] : ["sleep"];
  switch (cell.state) {
    case "awake":
      return ["pause", "sleep", "restart"];
    case "paused":
      return ["wake", "sleep", "restart"];
    case "failed":
      return ["wake", "sleep"];
    case "asleep":
      return ["wake"];
    case "starting":
      return ["sleep"];
  }
}

export function memoryLimit(limits: { agent_memory_bytes: number; keeper_memory_bytes: number }): number {
  return limits.agent_memory_bytes + limits.keeper_memory_bytes;
}

export function memoryBar(used: number | null | undefined, limit: number, name: string): TemplateResult | string {
  if (used === null || used === undefined) return "—";
  return html`<span class="bar"><meter min="0" max=${limit} high=${limit * 0.8} optimum="0" value=${used} aria-label="Memory of ${name}"></meter>${bytes(used)} <span class="muted">${percent(used, limit)} %</span></span>`;
}

export interface Result {
  id: string;
  name: string;
  ok: boolean;
  words: string;
}

/** Asks, with the names of whose cells they are; then acts on each, some at a time. Undefined when the operator said no. */
export async function actOn(cells: readonly Cell[], act: CellAct): Promise<Result[] | undefined> {
  const names = cells.map((cell) => `${cell.owner.name} (${cell.tenant.name})`);
  const listed = names.length > 10 ? `${names.slice(0, 10).join(", ")} and ${names.length - 10} more` : names.join(", ");
  const title = cells.length === 1 ? `${ACTS[act].sure}: the cell of ${cells[0]?.owner.name ?? ""}?` : `${ACTS[act].sure}: ${cells.length} cells?`;
  if (!(await confirmBox({ title, words: cells.length === 1 ? ACTS[act].words : `${ACTS[act].words} Whose they are: ${listed}.`, yes: ACTS[act].sure }))) return undefined;
  const results: Result[] = [];
  const waiting = [...cells];
  const worker = async (): Promise<void> => {
    for (let cell = waiting.shift(); cell; cell = waiting.shift()) {
      const { id, owner } = cell;
      if (!actsFor(cell).includes(act)) {
        results.push({ id, name: owner.name, ok: false, words: `not from ${stateTitle(cell.state).toLowerCase()}${owner.suspended ? ", and its owner is suspended" : ""}` });
        continue;
      }
      try {
        const { outcome } = await operator.act(id, act);
        results.push({ id, name: owner.name, ok: true, words: outcome === "done" ? "done" : "under way" });
      } catch (error) {
        results.push({ id, name: owner.name, ok: false, words: sentence(error) });
      }
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  return results;
}
