/** What the agent asks for: what waits, what was decided, and the rules that were made; kept as the keeper tells it. */
import { computed, effect, signal, untracked } from "@preact/signals-core";
import { announce, alertNow } from "../app/announcer";
import { keepersNow } from "../app/keeper-clock";
import { onEvent, onOpen, request, unlocked } from "../app/link";
import { isWatched, whenWatched } from "../app/presence";
import { withProof } from "../app/proof";
import type { Approval, ApprovalAnswer, ApprovalList, AskedAsSecond } from "../channel/messages";
import { sentence } from "../parts/form";
import { paused } from "./paused";
import { approvalWords, asSecond, elsewhereWords, secondedWords } from "./words";

export const approvals = signal<ApprovalList | undefined>(undefined);
export const approvalsProblem = signal("");
/** Something has changed while nobody looked on, and is loaded once somebody is back. */
const unseen = signal(false);
/** The keeper's clock, by which requests run out; goes on by seconds while something waits, so that what has run out leaves by itself. */
export const approvalClock = signal(keepersNow());

/** What can still be answered, the oldest first. */
export const waiting = computed<readonly Approval[]>(() => (approvals.value?.waiting ?? []).filter((each) => each.expires_at > approvalClock.value));

/** What others ask of this person as the second one, the oldest first. */
export const askedOfMe = computed<readonly AskedAsSecond[]>(() => (approvals.value?.asked ?? []).filter((each) => each.state === "waiting" && each.expires_at > approvalClock.value).reverse());

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

/** What was done within a week that something inside the agent's cell had allowed, and this person has not dismissed, the latest first. */
export const decidedElsewhere = computed<readonly Approval[]>(() => {
  const list = approvals.value;
  return [...(list?.waiting ?? []), ...(list?.decided ?? [])].filter((each) => each.elsewhere && !each.seen && approvalClock.value - (each.at ?? each.asked_at) < WEEK_MS);
});

/** What stands in the inbox. */
export const inboxCount = computed(() => waiting.value.length + askedOfMe.value.length + paused.value.length + decidedElsewhere.value.length);

/** Who may be asked after this person; empty where nobody can be. */
export function secondNames(): string {
  const good = (approvals.value?.second.people ?? []).filter((each) => each.good && each.name !== null).map((each) => each.name);
  return good.length < 2 ? (good[0] ?? "") : `${good.slice(0, -1).join(", ")} or ${good.at(-1)}`;
}

const WARN_MS = 60_000;
const warned = new Set<string>();
const title = document.title;

/** What a keeper of an older version does not say. */
const NO_SECOND: Pick<ApprovalList, "second" | "asked"> = { second: { on: false, demanded: false, people: [] }, asked: [] };

export async function loadApprovals(): Promise<void> {
  try {
    const before = approvals.peek();
    const known = new Set(before?.waiting.map((each) => each.id));
    const asked = new Set(before?.asked.map((each) => each.id));
    const list = { ...NO_SECOND, ...(await request<ApprovalList>("approval.list")) };
    approvals.value = list;
    approvalClock.value = keepersNow();
    approvalsProblem.value = "";
    const fresh = list.waiting.find((each) => !known.has(each.id));
    if (fresh) announce(`Your agent asks: ${approvalWords(fresh.action)}`);
    const other = list.asked.find((each) => each.state === "waiting" && !asked.has(each.id));
    if (other) announce(`You are asked as the second person: ${approvalWords(asSecond(other), `${other.name}’s agent`)}`);
    const old = [...(before?.waiting ?? []), ...(before?.decided ?? [])];
    const elsewhere = decidedElsewhere.peek().find((each) => !old.some((one) => one.id === each.id && one.elsewhere && !one.seen));
    if (elsewhere && before) alertNow(elsewhereWords(elsewhere));
    const settled = list.decided.find((each) => each.seconded && before?.decided.some((old) => old.id === each.id && !old.seconded));
    if (settled) alertNow(secondedWords(settled));
  } catch (error) {
    approvalsProblem.value = sentence(error);
  }
}

/** Gives the answer; one that was given elsewhere meanwhile is no failure. */
export async function decide(approval: Approval, answer: ApprovalAnswer): Promise<void> {
  try {
    await request("approval.decide", { id: approval.id, hash: approval.hash, answer });
    announce(answer.answer === "deny" ? "Refused" : approval.second ? "Allowed by you; a second person is asked" : "Allowed");
  } catch (error) {
    const code = (error as { code?: string }).code ?? "";
    if (!["already_decided", "unknown_approval"].includes(code)) throw error;
    announce("This was answered elsewhere already");
  }
  await loadApprovals();
}

/** This person has seen that it ran without their word: it stays among what was decided. */
export async function seenElsewhere(id: string): Promise<void> {
  await request("approval.seen", { id });
  await loadApprovals();
}

/** The answer of this person as the second one. */
export async function answerAsSecond(asked: AskedAsSecond, allow: boolean, reason: string): Promise<void> {
  await request("approval.answer_as_second", { user: asked.user, id: asked.id, hash: asked.hash, allow, reason });
  announce(allow ? "You agreed" : "Refused");
  await loadApprovals();
}

/** Whether a second person is needed, and who that may be. */
export async function chooseSeconds(on: boolean, people: readonly string[]): Promise<void> {
  await withProof(() => request("approval.choose_seconds", { on, people }));
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

/** Whether the server hears that something waits while no page is open, and tells of it. */
export async function tellWhenAway(tell: boolean): Promise<void> {
  await request("approval.settings", { tell_when_away: tell });
  await loadApprovals();
}

function tick(): void {
  if (!approvals.peek()?.waiting.length && askedOfMe.peek().length === 0) return;
  approvalClock.value = keepersNow();
  for (const each of waiting.peek()) {
    if (each.expires_at - keepersNow() > WARN_MS || warned.has(each.id)) continue;
    warned.add(each.id);
    alertNow("A request of your agent runs out in a minute");
  }
}

export function startApprovals(): void {
  onOpen(() => void loadApprovals());
  const load = () => {
    unseen.value = false;
    if (unlocked.peek()) void loadApprovals();
  };
  onEvent((event) => {
    if (event !== "approvals") return;
    unseen.value = !isWatched();
    whenWatched(load);
  });
  setInterval(tick, 1000);
  effect(() => {
    const count = inboxCount.value;
    const sign = unseen.value ? "!" : count;
    document.title = sign ? `(${sign}) ${title}` : title;
  });
  effect(() => {
    if (unlocked.value) return;
    untracked(() => {
      approvals.value = undefined;
      unseen.value = false;
      warned.clear();
    });
  });
}
