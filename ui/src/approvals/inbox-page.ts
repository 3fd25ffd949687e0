/** Everything that the agent asked for: what waits, what was decided, and what is allowed beforehand. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import type { Approval, ApprovalList, ApprovalRule, AskedAsSecond } from "../channel/messages";
import { FormPage } from "../pages/page";
import { notice } from "../parts/form";
import { icon } from "../parts/icon";
import "./approval-card";
import "./paused-card";
import "./second-card";
import "./second-choice";
import { approvals, approvalsProblem, askBeforeCommands, askedOfMe, decide, decidedElsewhere, inboxCount, loadApprovals, removeRule, seenElsewhere, tellWhenAway, waiting } from "./approvals";
import { loadServices, routes, servicesProblem } from "../secrets/services";
import { paused } from "./paused";
import { approvalWords, asSecond, dayWords, details, elsewhereWords, ruleWords, saysNoAccount } from "./words";

const ENDS: Record<Approval["state"], string> = {
  waiting: "Too late: nothing was done",
  awaits_second: "Allowed by you; waits for a second person",
  allowed: "Allowed; not done yet",
  used: "Allowed and done",
  denied: "Refused",
  expired: "Too late: nothing was done",
};

const SECOND_ENDS: Record<AskedAsSecond["state"], string> = {
  waiting: "Too late: you did not answer",
  allowed: "You agreed",
  denied: "You refused",
  over: "Not needed any more",
  expired: "Too late: you did not answer",
};

export class InboxPage extends FormPage {
  @state() private tab: "waiting" | "decided" | "rules" = "waiting";

  override connectedCallback(): void {
    super.connectedCallback();
    void loadApprovals();
    void loadServices();
  }

  protected override render(): TemplateResult {
    const list = approvals.value;
    const count = inboxCount.value;
    return html`<div class="page">
      <h1>Inbox</h1>
      <p class="lead">What your agent may not do without your word. Nothing that it can write, say or call answers for you.</p>
      <div class="segments" role="radiogroup" aria-label="What to show">
        ${this.#tab("waiting", `Waiting for you${count > 0 ? ` (${count})` : ""}`)} ${this.#tab("decided", "Decided")} ${this.#tab("rules", "What you allow beforehand")}
      </div>
      ${approvalsProblem.value ? html`${notice("error", approvalsProblem.value)}<button class="button" type="button" @click=${() => void loadApprovals()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${list ? this.#shown(list) : approvalsProblem.value ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading your inbox"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #tab(tab: InboxPage["tab"], words: string): TemplateResult {
    return html`<label class="segment"><input type="radio" name="inbox" .checked=${tab === this.tab} @change=${() => (this.tab = tab)}><span>${words}</span></label>`;
  }

  #shown(list: ApprovalList): TemplateResult {
    switch (this.tab) {
      case "waiting":
        return html`${this.#elsewhere()}${paused.value.length > 0 ? html`<hf-paused></hf-paused>` : nothing}${this.#requests()}`;
      case "decided":
        return this.#past(list);
      case "rules":
        return html`<hf-second-choice></hf-second-choice> ${this.#commands(list)} ${this.#away(list)} ${this.#unasked()} ${list.rules.length === 0 ? html`<p class="empty">You allow nothing beforehand: your agent asks every time.</p>` : html`<ul class="rows">${repeat(list.rules, (each) => each.id, (each) => this.#rule(each))}</ul>`}`;
    }
  }

  /** What ran without this person's word: nothing that they can answer, and what they should see first. */
  #elsewhere(): unknown {
    const [latest, ...more] = decidedElsewhere.value;
    if (!latest) return nothing;
    return notice(
      "error",
      html`${elsewhereWords(latest)} ${dayWords(latest.at ?? latest.asked_at)}.
        <dl class="exact">${details(latest.action).map(([name, value]) => html`<dt>${name}</dt><dd><pre tabindex="0" role="region" aria-label=${name}>${value}</pre></dd>`)}</dl>
        What it did stands in the conversation. If you cannot explain it, lock your vault, which ends whatever runs in the cell, and do not trust what your agent has said since.
        ${more.length > 0 ? html`<p>${more.length === 1 ? "One more of this week stands" : `${more.length} more of this week stand`} under “Decided”.</p>` : nothing}
        <div class="row"><button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Dismiss that a command ran without your word" @click=${() => void this.work(() => seenElsewhere(latest.id))}>${icon("x", "s")} Dismiss</button></div>`,
    );
  }

  #requests(): unknown {
    if (waiting.value.length + askedOfMe.value.length === 0) return paused.value.length > 0 ? nothing : html`<p class="empty">Nothing waits for you.</p>`;
    return html`<p class="muted">With a request in focus: y allows it once, n refuses.</p>${repeat(waiting.value, (each) => each.id, (each) => html`<hf-approval .approval=${each}></hf-approval>`)} ${repeat(askedOfMe.value, (each) => each.id, (each) => html`<hf-second .asked=${each}></hf-second>`)}`;
  }

  #past(list: ApprovalList): TemplateResult {
    const asked = list.asked.filter((each) => each.state !== "waiting");
    if (list.decided.length + asked.length === 0) return html`<p class="empty">Nothing was decided yet.</p>`;
    return html`${list.decided.length > 0 ? html`<ul class="rows">${repeat(list.decided, (each) => each.id, (each) => this.#decided(each))}</ul>` : nothing}
      ${asked.length > 0
        ? html`<h2>As the second person</h2>
            <ul class="rows">${repeat(asked, (each) => each.id, (each) => this.#asked(each))}</ul>`
        : nothing}`;
  }

  #asked(each: AskedAsSecond): TemplateResult {
    return html`<li>
      <div class="row-head"><div class="row-name"><strong>${approvalWords(asSecond(each), `${each.name}’s agent`)}</strong><span class="muted">${dayWords(each.at ?? each.asked_at)}</span></div><span class="tag">${SECOND_ENDS[each.state]}</span></div>
      ${each.reason ? html`<p class="muted">You wrote: ${each.reason}</p>` : nothing}
      ${each.lost ? html`<p class="muted">Your answer has not reached ${each.name}: it is sent again when you next unlock your vault.</p>` : nothing}
    </li>`;
  }

  #takeBack(each: Approval): void {
    void this.work(() => decide(each, { answer: "deny", reason: "" }));
  }

  #decided(each: Approval): TemplateResult {
    return html`<li>
      <div class="row-head"><div class="row-name"><strong>${approvalWords(each.action)}</strong><span class="muted">${dayWords(each.at ?? each.asked_at)}</span></div><span class="tag">${each.elsewhere ? "Ran without your word" : ENDS[each.state]}</span></div>
      ${each.elsewhere ? html`<p class="muted">${elsewhereWords(each)}</p>` : nothing}
      ${each.seconded ? html`<p class="muted">${each.seconded.name}, the second person, ${each.seconded.allowed ? "agreed" : "refused"}${each.seconded.allowed || !each.reason ? "." : `: ${each.reason}`}</p>` : each.reason ? html`<p class="muted">You wrote: ${each.reason}</p>` : nothing}
      ${each.state === "awaits_second" ? html`<p class="muted">It is done when they agree, until ${dayWords(each.expires_at)}. Without an answer it stays undone, and your agent can ask again.</p><div class="row"><button class="button small" type="button" ?disabled=${this.busy || !online.value} @click=${() => this.#takeBack(each)}>${icon("x", "s")} Take it back</button></div>` : nothing}
      ${each.state === "allowed" ? html`<p class="muted">Your agent had stopped waiting. Tell it to go on, and it is done.</p>` : nothing}
    </li>`;
  }

  #rule(each: ApprovalRule): TemplateResult {
    const words = ruleWords(each.pattern);
    return html`<li>
      <div class="row-head"><div class="row-name"><strong>${words}</strong><span class="muted">${each.conversation ? "In one conversation" : `At most ${each.per_day} times a day`}, until ${dayWords(each.until)}${saysNoAccount(each.pattern) ? ". Made by an earlier version, it does not say for which account: you are asked again" : ""}</span></div><span class="tag">${each.used_today} today</span></div>
      <div class="row"><button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Ask me again: ${words}" @click=${() => this.#remove(each)}>${icon("trash-2", "s")} Ask me again</button></div>
    </li>`;
  }

  /** Services that are changed without a question: each of them is a yes to everything. */
  #unasked(): unknown {
    if (servicesProblem.value) return notice("error", `Which services your agent changes without asking cannot be said now. ${servicesProblem.value}`);
    const unasked = (routes.value ?? []).filter((each) => each.ask === false && !each.read_only);
    if (unasked.length === 0) return nothing;
    return html`<section class="card" aria-labelledby="unasked-title">
      <h2 id="unasked-title">Services that it changes without asking</h2>
      <p>Your agent changes what it likes at ${unasked.map((each) => `“${each.name}”`).join(", ")} without asking you, but for deleting, and for where a second person has to agree. You choose that for each service under <a href="/services">Services</a>.</p>
    </section>`;
  }

  #commands(list: ApprovalList): TemplateResult {
    return html`<section class="card" aria-labelledby="commands-title">
      <h2 id="commands-title">Commands on its own computer</h2>
      <label class="check"><input type="checkbox" .checked=${list.ask_before_commands} ?disabled=${this.busy || !online.value} @change=${(event: Event) => this.#setCommands((event.target as HTMLInputElement).checked)}> <span>Ask me before it runs commands<span class="hint">From the next start of your agent on. Its computer is closed off and holds none of your keys, so this is for watching it, not for keeping it in: a program that runs there already is not stopped by it, and can say yes in your place. You are told when one does.</span></span></label>
    </section>`;
  }

  #away(list: ApprovalList): TemplateResult {
    return html`<section class="card" aria-labelledby="away-title">
      <h2 id="away-title">While you are away</h2>
      <label class="check"><input type="checkbox" .checked=${list.tell_when_away} ?disabled=${this.busy || !online.value} @change=${(event: Event) => this.#setAway((event.target as HTMLInputElement).checked)}> <span>Tell me when my agent waits for my answer<span class="hint">Also when somebody asks you as the second person, or one has answered you, when calls were paused, and when something in the cell allowed a command in your place. Only while you have this open nowhere: at once on the devices that you chose under Me, and by mail after a minute, one in an hour at most, but for alarms and one a week, when your last week stands in numbers under Activity. The server hears that something of this kind waits, not what it is.</span></span></label>
    </section>`;
  }

  #setAway(tell: boolean): void {
    void this.work(async () => {
      await tellWhenAway(tell);
      announce(tell ? "You will be told" : "You will not be told");
    });
  }

  #setCommands(ask: boolean): void {
    void this.work(async () => {
      await askBeforeCommands(ask);
      announce(ask ? "Your agent will ask" : "Your agent will not ask");
    });
  }

  #remove(each: ApprovalRule): void {
    void this.work(async () => {
      await removeRule(each.id);
      announce("Removed. Your agent asks again");
    });
  }
}

customElements.define("hf-inbox", InboxPage);
