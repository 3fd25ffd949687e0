/** What this person shares, what is shared with them, and what they are asked for. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { activityWords } from "../secrets/activity-words";
import { type Known } from "../trust/identities";
import "./ask-form";
import "./received-row";
import "./share-form";
import { givenCopyWords } from "./copy-words";
import { usersWords } from "./group-words";
import { passedOnList, STATES, usesWords } from "./passed-on";
import { type Asked, dismissAsked, type Given, type GivenCopy, type GroupResource, loadToShare, ofRelay, refreshCopy, seenMissed, shared, type Shared, sharedProblem } from "./shared";
import { stopIfSure, withdrawIfSure } from "./withdraw";
import { arrivalWords, dayWords, mayWords, missedWords, resourceWords, whoWords } from "./words";

export class SharedPage extends FormPage {
  @state() private known: readonly Known[] | undefined;
  @state() private loadProblem = "";
  @state() private open: "" | "share" | "ask" = "";
  /** The request that a share answers. */
  @state() private answers: Asked | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.known = await loadToShare();
      this.loadProblem = "";
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    const [all, problem] = [shared.value, this.loadProblem || sharedProblem.value];
    return html`<div class="page">
      <h1>Shared</h1>
      <p class="lead">Let somebody use one of your services for a while. They never get your key: your vault does what they ask and gives them the answer, while it is open. You can stop it at any time.</p>
      ${problem ? html`${notice("error", problem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${all ? ofRelay.value.map((each) => notice("warn", `${activityWords(each)} (${dayWords(each.last)}).${each.what === "not_delivered" ? "" : " If it happens again, tell whoever runs this server."}`)) : nothing}
      ${all && this.known ? html`${this.#forms(this.known)} ${this.#shown(all)}` : problem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading what is shared"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #forms(known: readonly Known[]): TemplateResult {
    if (this.open === "share")
      return html`<section class="card" aria-labelledby="share-title">
        <h2 id="share-title">Share something</h2>
        <hf-share-form .known=${known} .for=${this.answers?.user ?? ""} @done=${this.#shareDone}></hf-share-form>
      </section>`;
    if (this.open === "ask")
      return html`<section class="card" aria-labelledby="ask-title">
        <h2 id="ask-title">Ask somebody</h2>
        <hf-ask-form .known=${known} @done=${() => (this.open = "")}></hf-ask-form>
      </section>`;
    return html`<div class="row">
      <button class="button primary" type="button" ?disabled=${!online.value} @click=${() => (this.open = "share")}>${icon("share-2", "s")} Share something</button>
      <button class="button" type="button" ?disabled=${!online.value} @click=${() => (this.open = "ask")}>Ask somebody</button>
    </div>`;
  }

  #shown({ given, received, asked, resources }: Shared): TemplateResult {
    return html`${asked.length > 0
        ? html`<section class="stack" aria-labelledby="asked-title"><h2 id="asked-title">Asked of you</h2><ul class="rows">${repeat(asked, (each) => each.id, (each) => this.#askedRow(each))}</ul></section>`
        : nothing}
      <section class="stack" aria-labelledby="given-title">
        <h2 id="given-title">You share</h2>
        ${given.length === 0 ? html`<p class="empty">You share nothing.</p>` : html`<ul class="rows">${repeat(given, (each) => each.id, (each) => this.#givenRow(each))}</ul>`}
      </section>
      ${resources.length > 0
        ? html`<section class="stack" aria-labelledby="resources-title">
            <h2 id="resources-title">You share with groups</h2>
            <ul class="rows">${repeat(resources, (each) => each.id, (each) => this.#resourceRow(each, given))}</ul>
          </section>`
        : nothing}
      <section class="stack" aria-labelledby="received-title">
        <h2 id="received-title">Shared with you</h2>
        ${received.length === 0 ? html`<p class="empty">Nobody shares anything with you.</p>` : html`<ul class="rows">${repeat(received, (each) => each.id, (each) => html`<li><hf-received .received=${each} .known=${each.group ? undefined : (this.known ?? [])}></hf-received></li>`)}</ul>`}
      </section>`;
  }

  #askedRow(each: Asked): TemplateResult {
    return html`<li>
      <div class="row-head"><div class="row-name"><strong>${each.name} asks</strong><span class="muted">${dayWords(each.at)}</span></div></div>
      <p class="words">${each.words}</p>
      <div class="row">
        <button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Share something with ${each.name}" @click=${() => this.#answer(each)}>${icon("share-2", "s")} Share something</button>
        <button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Dismiss what ${each.name} asks" @click=${() => this.#dismiss(each)}>${icon("x", "s")} Dismiss</button>
      </div>
    </li>`;
  }

  #givenRow(each: Given): TemplateResult {
    const thing = each.group ? `${each.group.name} (in the group ${each.group.group_name})` : resourceWords(each.resource);
    const what = each.of ? `${thing} of ${whoWords(each.of)}` : thing;
    const uses = each.of ? "You passed it on. Their vault counts how often it is used, with your own uses" : usesWords(each);
    return html`<li>
      <div class="row-head">
        <div class="row-name"><strong>${what} with ${each.name}</strong><span class="muted">They may ${mayWords(each.scope)}, until ${dayWords(each.until)}${each.constraints.max_calls ? `, ${each.constraints.max_calls} times at most` : ""}.</span></div>
        <span class="tag ${each.state === "given" ? "" : "tag-warn"}">${STATES[each.state]}</span>
      </div>
      <p class="muted">${uses}${each.state === "given" ? arrivalWords(each) : ""}.</p>
      ${each.elsewhere && each.state === "given" ? notice("warn", `The service is not the one that you shared: its address, its secret or its kind was changed, or it was removed. ${each.name} is refused. Stop it, and share it anew if you like.`) : nothing}
      ${each.missed !== undefined ? this.#missed(each, each.missed, what) : nothing}
      ${each.copy ? this.#copy(each, each.copy) : nothing}
      ${passedOnList({ what, links: each.passed_on ?? [], off: this.busy || !online.value, onEnd: (id, name) => this.#stop(id, name) })}
      ${each.state === "given" ? html`<div class="row">${each.copy && each.arrived !== null ? html`<button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Refresh the copy of ${what} with ${each.name}" @click=${() => void this.#refresh(each.id)}>${icon("refresh-cw", "s")} Refresh the copy</button>` : nothing}<button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Stop sharing ${what} with ${each.name}" @click=${() => this.#stop(each.id, each.name)}>${icon("x", "s")} Stop sharing</button></div>` : nothing}
    </li>`;
  }

  #missed(each: Given, at: number, what: string): TemplateResult {
    return html`${notice("info", missedWords(each.name, at))}
      <div class="row"><button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Dismiss that ${each.name} asked for ${what}" @click=${() => void this.work(() => seenMissed(each.id))}>${icon("x", "s")} Dismiss</button></div>`;
  }

  #copy(each: Given, copy: GivenCopy): TemplateResult {
    return html`<p class="muted">${givenCopyWords(each.name, copy, each.state)}</p>
      ${copy.problem && each.state === "given" ? notice("warn", `No newer copy was made since ${dayWords(copy.problem.since)}: ${copy.problem.words}`) : nothing}`;
  }

  async #refresh(id: string): Promise<void> {
    await this.work(async () => {
      await refreshCopy(id);
      announce("A copy is on its way");
    });
  }

  #resourceRow(each: GroupResource, given: readonly Given[]): TemplateResult {
    return html`<li>
      <div class="row-head"><div class="row-name"><strong>${each.name} (in the group ${each.group_name})</strong><span class="muted">${resourceWords(each.resource)}. ${usersWords(each, given)}.</span></div></div>
      <div class="row"><button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Stop sharing ${each.name} with the group ${each.group_name}" @click=${() => void this.work(() => withdrawIfSure(each))}>${icon("x", "s")} Stop sharing</button></div>
    </li>`;
  }

  #stop(id: string, name: string): void {
    void this.work(() => stopIfSure(id, name));
  }

  #answer(each: Asked): void {
    this.answers = each;
    this.open = "share";
  }

  #shareDone = (event: CustomEvent<{ given: boolean }>): void => {
    const { answers } = this;
    this.open = "";
    this.answers = undefined;
    if (event.detail.given && answers) this.#dismiss(answers);
  };

  #dismiss(each: Asked): void {
    void this.work(() => dismissAsked(each.id));
  }
}

customElements.define("hf-shared", SharedPage);
