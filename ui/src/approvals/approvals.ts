/** What the agent asks for: what waits, what was decided, and the rules that were made; kept as the keeper tells it. */
import { computed, effect, signal, untracked } from "@preact/signals-core";
import { announce, alertNow } from "../app/announcer";
import { onEvent, onOpen, request, unlocked } from "../app/link";
import type { Approval, ApprovalAnswer, ApprovalList } from "../channel/messages";
import { sentence } from "../parts/form";
import { paused } from "./paused";
import { approvalWords } from "./words";

export const approvals = signal<ApprovalList | undefined>(undefined);
export const approvalsProblem = signal("");
/** Goes on by seconds while something waits, so that what has run out leaves by itself. */
export const approvalClock = signal(Date.now());

/** What can still be answered, the oldest first. */
export const waiting = computed<readonly Approval[]>(() => (approvals.value?.waiting ?? []).filter((each) => each.expires_at > approvalClock.value));

const WARN_MS = 60_000;
const warned = new Set<string>();
const title = document.title;

export async function loadApprovals(): Promise<void> {
  try {
    const known = new Set(approvals.peek()?.waiting.map((each) => each.id));
    const list = await request<ApprovalList>("approval.list");
    approvals.value = list;
    approvalClock.value = Date.now();
    approvalsProblem.value = "";
    const fresh = list.waiting.find((each) => !known.has(each.id));
    if (fresh) announce(`Your agent asks: ${approvalWords(fresh.action)}`);
  } catch (error) {
    approvalsProblem.value = sentence(error);
  }
}

/** Gives the answer; one that was given elsewhere meanwhile is no failure. */
export async function decide(approval: Approval, answer: ApprovalAnswer): Promise<void> {
  try {
    await request("approval.decide", { id: approval.id, hash: approval.hash, answer });
    announce(answer.answer === "deny" ? "Refused" : "Allowed");
  } catch (error) {
    const code = (error as { code?: string }).code ?? "";
    if (!["already_decided", "unknown_approval"].includes(code)) throw error;
    announce("This was answered elsewhere already");
  }
  await loadApprovals();
}

export async function removeRule(id: string): Promise<void> {
  await request("approval.remove_rule", { id });
  await loadApprovals();
}

export async function askBeforeCommands(ask: boolean): Promise<void> {
  await request("approval.settings", { ask_before_commands: ask });
  await loadApprovals();
}

/** Whether the server hears that something waits while no page is open, and writes a mail. */
export async function tellWhenAway(tell: boolean): Promise<void> {
  await request("approval.settings", { tell_when_away: tell });
  await loadApprovals();
}

function tick(): void {
  if (!approvals.peek()?.waiting.length) return;
  approvalClock.value = Date.now();
  for (const each of waiting.peek()) {
    if (each.expires_at - Date.now() > WARN_MS || warned.has(each.id)) continue;
    warned.add(each.id);
    alertNow("A request of your agent runs out in a minute");
  }
}

export function startApprovals(): void {
  onOpen(() => void loadApprovals());
  onEvent((event) => {
    if (event === "approvals") void loadApprovals();
  });
  setInterval(tick, 1000);
  effect(() => {
    const count = waiting.value.length + paused.value.length;
    document.title = count > 0 ? `(${count}) ${title}` : title;
  });
  effect(() => {
    if (unlocked.value) return;
    untracked(() => {
      approvals.value = undefined;
      warned.clear();
    });
  });
}
