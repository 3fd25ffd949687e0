/** One thing that somebody shares with this person: what it is, and looking at it through their vault. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import type { WholeGroup } from "../api/http";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { confirmBox } from "../parts/confirm-box";
import { field, notice } from "../parts/form";
import { icon } from "../parts/icon";
import { working } from "../parts/working";
import { digits } from "../trust/digits";
import type { Known } from "../trust/identities";
import "./manage-list";
import "./offered-tools";
import "./pass-on-form";
import { firstRequest, heldCopyWords, isOfCopy } from "./copy-words";
import { canAccept, isShownByItself, waitingWords, wordsToAccept } from "./offer";
import { acceptReceived, type Answer, forgetReceived, type InGroup, readReceived, type Received, type Somebody, type Told, toldOf } from "./shared";
import { answerWords, dayWords, kindsWithin, mayWords, pathOf, resourceWords, serviceOf, whoWords } from "./words";

const STATES: Record<Received["state"], string> = { given: "Yours to use", offered: "Waits for your yes", stopped: "Stopped", left: "Not in the group any more", over: "Over", unknown_owner: "Of somebody you do not know" };

function told(words: string, label: string): TemplateResult {
  return html`<pre class="shared-answer" tabindex="0" role="region" aria-label=${label}>${words === "" ? "Nothing but what stands above." : words}</pre>`;
}

export class ReceivedRow extends FormPage {
  @property({ attribute: false }) received!: Received;
  /** To whom it may be passed on; left out where that is not offered. */
  @property({ attribute: false }) known: readonly Known[] | undefined;
  /** Who is in its group; left out where it is not managed. */
  @property({ attribute: false }) members: WholeGroup["members"] | undefined;
  @state() private open = false;
  @state() private passing = false;
  @state() private managing = false;
  @state() private path = "";
  @state() private query = "";
  @state() private answer: Answer | undefined;
  /** What the agent would be told, or is. */
  @state() private told: Told | undefined;
  /** What it is told now is shown. */
  @state() private shows = false;
  /** The words that were looked up last without being asked for: once each. */
  #lookedUp: number | undefined;

  protected override updated(): void {
    // What waits for a yes is read where the yes is given.
    const waits = waitingWords(this.received);
    if (waits === this.#lookedUp || !isShownByItself(this.received, this.told, this.busy, this.problem)) return;
    this.#lookedUp = waits;
    void this.#lookUp();
  }

  protected override render(): TemplateResult {
    const each = this.received;
    const what = each.group?.name ?? resourceWords(each.resource);
    const owner = this.#owner();
    const title = `${what}${owner ? ` of ${owner}` : ""}`;
    const words = wordsToAccept(each, this.told);
    const no = each.state === "offered" ? "No, thank you" : "Remove from the list";
    return html`<div class="row-head">
        <div class="row-name"><strong>${title}</strong><span class="muted">${each.group ? `${each.group.about} In the group ${each.group.group_name}. ` : ""}You may ${mayWords(each.scope)}, until ${dayWords(each.until)}${each.constraints.max_calls ? `, ${each.constraints.max_calls} times at most` : ""}.</span></div>
        <span class="tag ${each.state === "given" && !each.newer ? "" : "tag-warn"}">${each.state === "given" && each.newer ? "Changed: waits for your yes" : STATES[each.state]}</span>
      </div>
      ${each.state === "unknown_owner" ? html`${notice("warn", "Nobody whom you know has these keys, so it cannot be used. If somebody here shares it with you, compare these digits with theirs.")}${digits(each.fingerprint, "Digits of whoever shares this")}` : nothing}
      ${each.passed_on ? this.#passedOn(each.passed_on) : nothing}
      ${each.cached && each.state === "given" ? html`<p class="muted">${heldCopyWords(owner, each.copy)}</p>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${each.state === "offered" ? html`<p>If you accept, you and your agent may use it, and your agent is told this:</p>` : nothing}
      ${each.state === "given" && each.newer ? this.#changed(each, each.newer) : nothing}
      ${words !== undefined ? told(words, `What your agent would be told of ${title}`) : nothing}
      ${each.state === "offered" && each.group?.tools ? html`<hf-offered-tools .received=${each}></hf-offered-tools>` : nothing}
      ${each.state === "given" && this.shows && this.told ? html`${each.newer ? html`<p>Until then your agent is told this, as you accepted it:</p>` : nothing}${told(this.told.skill, `What your agent is told of ${title}`)}` : nothing}
      ${this.open ? this.#look(title) : nothing}
      ${this.passing && each.state === "given" && this.known ? html`<hf-pass-on-form .received=${each} .known=${this.known} @done=${() => (this.passing = false)}></hf-pass-on-form>` : nothing}
      ${this.managing && each.state === "given" && this.members ? html`<hf-manage-list .received=${each} .members=${this.members}></hf-manage-list>` : nothing}
      <div class="row">
        ${waitingWords(each) !== undefined && words === undefined && (this.problem || this.told) ? html`<button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Show what your agent would be told: ${title}" @click=${() => void this.#lookUp()}>${icon("eye", "s")} Show what your agent would be told</button>` : nothing}
        ${waitingWords(each) !== undefined ? html`<button class="button primary small" type="button" ?disabled=${!canAccept(each, this.told, this.busy, online.value)} aria-label="${each.newer ? "Accept the change" : "Accept"}: ${title}" @click=${() => void this.#accept()}>${icon("circle-check", "s")} ${each.newer ? "Accept the change" : "Accept"}</button>` : nothing}
        ${each.group && each.state === "given" ? html`<button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-expanded=${this.shows ? "true" : "false"} aria-label="What your agent is told: ${title}" @click=${() => void this.#tell()}>${icon("eye", "s")} What your agent is told</button>` : nothing}
        ${each.state === "given" ? html`<button class="button small" type="button" aria-expanded=${this.open ? "true" : "false"} aria-label="${this.open ? "Close" : "Look at it"}: ${title}" @click=${() => this.#toggle()}>${icon(this.open ? "x" : "eye", "s")} ${this.open ? "Close" : "Look at it"}</button>` : nothing}
        ${each.state === "given" ? this.#rights(each, title) : nothing}
        <button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="${no}: ${title}" @click=${() => void this.#forget()}>${icon("trash-2", "s")} ${no}</button>
      </div>`;
  }

  /** What this person may do with it beside using it. What is of a group is passed on and managed on its page, where its people are. */
  #rights(each: Received, title: string): TemplateResult {
    const passes = each.scope.includes("share") && kindsWithin(each.scope).length > 0;
    const manages = each.group && each.scope.includes("admin");
    const words = [...(passes && !this.known ? ["Pass it on"] : []), ...(manages && !this.members ? ["Manage it"] : [])].join(" or ");
    return html`${passes && this.known && !this.passing ? html`<button class="button small" type="button" ?disabled=${!online.value} aria-label="Pass it on: ${title}" @click=${() => (this.passing = true)}>${icon("share-2", "s")} Pass it on…</button>` : nothing}
      ${manages && this.members ? html`<button class="button small" type="button" ?disabled=${!online.value} aria-expanded=${this.managing ? "true" : "false"} aria-label="Who may use it: ${title}" @click=${() => (this.managing = !this.managing)}>${icon("user-round", "s")} Who may use it</button>` : nothing}
      ${each.group && words ? html`<a class="button small" href="/groups/${each.group.group}" aria-label="${words} in the group ${each.group.group_name}: ${title}">${words} in the group</a>` : nothing}`;
  }

  /** Whose it is, as far as this person knows. */
  #owner(): string | null {
    const { passed_on, name } = this.received;
    return passed_on ? passed_on.name : name;
  }

  #whose(): string {
    const owner = this.#owner();
    return owner ? `${owner}’s` : "their";
  }

  #passedOn(owner: Somebody): TemplateResult {
    return html`<p class="muted">${whoWords(this.received)} passed it on to you. It belongs to ${whoWords(owner)}: what you ask for goes to their vault.</p>
      ${owner.name === null && owner.fingerprint !== null ? digits(owner.fingerprint, "Digits of whom it belongs to") : nothing}`;
  }

  #changed(each: Received, newer: InGroup): TemplateResult {
    const other = newer.name !== each.group?.name || newer.about !== each.group.about;
    return html`${notice("warn", `${each.name ?? "Whoever shares this"} has changed what agents are told of it. Your agent goes on using it, and is told what you accepted before, until you accept the change.`)}
      ${other ? html`<p>It would be called <strong>${newer.name}</strong>: ${newer.about}</p>` : nothing}
      <p>If you accept, your agent is told this from then on:</p>`;
  }

  #look(title: string): TemplateResult {
    const { answer } = this;
    const id = this.received.id;
    return html`<form class="inset" @submit=${this.#submit}>
        ${field({ id: `path-${id}`, label: `Which part of ${serviceOf(this.received.resource)}?`, value: this.path, required: false, maxlength: 500, placeholder: "/", hint: "Where it is at the service. Leave it as it is to see what is shared.", onInput: (value) => (this.path = value) })}
        ${field({ id: `query-${id}`, label: "Only some of it? (optional)", value: this.query, required: false, maxlength: 500, placeholder: "from=2026-12-01", hint: "As the service takes it after the “?” of an address.", onInput: (value) => (this.query = value) })}
        <div class="row"><button class="button primary small" type="submit" ?disabled=${this.busy || !online.value} aria-busy=${this.busy ? "true" : "false"}>${this.busy ? working(`Asking ${this.#whose()} vault…`) : "Read"}</button></div>
      </form>
      ${answer
        ? html`<p class="muted">${answer.copy ? `A copy, as of ${dayWords(answer.copy.as_of)}, while ${this.#whose()} agent sleeps. It may have changed since.` : `${answer.status < 300 ? "Answered" : `Answered with an error (${answer.status})`}${answer.cut ? ". There was more: ask for less at once" : ""}. It was read through ${this.#whose()} vault and is not kept here.`}</p>
            <pre class="shared-answer" tabindex="0" role="region" aria-label="Answer of ${title}">${answerWords(answer)}</pre>`
        : nothing}`;
  }

  #toggle(): void {
    this.open = !this.open;
    this.answer = undefined;
    ({ path: this.path, query: this.query } = firstRequest(this.received, pathOf(this.received.resource)));
    if (this.open) void this.updateComplete.then(() => this.querySelector<HTMLElement>("form input")?.focus());
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      this.answer = undefined;
      const [path, query] = [this.path.trim(), this.query.trim().replace(/^\?/, "")];
      this.answer = await readReceived(this.received.id, isOfCopy(this.received, path, query) ? {} : { path, query });
      announce("Answered");
    });
  };

  async #lookUp(): Promise<void> {
    await this.work(async () => {
      this.told = await toldOf(this.received.id);
    });
  }

  async #tell(): Promise<void> {
    if (!this.shows) await this.#lookUp();
    this.shows = !this.shows && !this.problem;
  }

  async #accept(): Promise<void> {
    const { newer } = this.received;
    // Just what stands there: what has come meanwhile is refused, and read first.
    const revision = waitingWords(this.received);
    if (revision === undefined || wordsToAccept(this.received, this.told) === undefined) return;
    await this.work(async () => {
      await acceptReceived(this.received.id, revision);
      this.told = undefined;
      this.shows = false;
      announce(newer ? "Accepted: your agent is told this from now on" : "Accepted: your agent may use it");
    });
  }

  async #forget(): Promise<void> {
    const live = this.received.state === "given";
    if (live && !(await confirmBox({ title: "Remove it from the list?", words: "You and your agent cannot use it any more, unless it is shared with you again.", yes: "Remove", danger: true }))) return;
    await this.work(async () => {
      await forgetReceived(this.received.id);
      announce("Removed");
    });
  }
}

customElements.define("hf-received", ReceivedRow);
