/** What is shared in one group: what this person, its admin, lets the members use, and what others let this person use. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { WholeGroup } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { type Known } from "../trust/identities";
import { offered } from "../trust/offered";
import "./group-share-form";
import "./group-words-form";
import { grantOf, grantWords, standingWords, untilFor } from "./group-words";
import { moreFields } from "./more-fields";
import { passedOnList } from "./passed-on";
import "./received-row";
import { type Given, grantInGroup, type GroupResource, loadToShare, type PassedOn, shared, type Shared, sharedProblem, stopSharing } from "./shared";
import { stopIfSure, withdrawIfSure } from "./withdraw";
import { type Kind, kindOf, KINDS, moreOf, resourceWords, scopeOf } from "./words";

type Member = WholeGroup["members"][number];

export class GroupShared extends FormPage {
  @property({ attribute: false }) whole!: WholeGroup;
  @state() private known: readonly Known[] | undefined;
  @state() private loadProblem = "";
  @state() private open = false;
  /** Whose words are being changed. */
  @state() private rewords = "";

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

  #gives(): boolean {
    return this.whole.group.role === "admin" && !this.whole.group.archived;
  }

  protected override render(): TemplateResult {
    const [all, problem] = [shared.value, this.loadProblem || sharedProblem.value];
    return html`<section class="stack" aria-labelledby="group-shared-title">
      <h2 id="group-shared-title">What this group shares</h2>
      ${problem ? html`${notice("error", problem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${all && this.known ? this.#shown(all, this.known) : problem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading what is shared"><i></i><i></i></div>`}
    </section>`;
  }

  #shown(all: Shared, known: readonly Known[]): TemplateResult {
    const id = this.whole.group.id;
    const own = all.resources.filter((each) => each.group === id);
    const received = all.received.filter((each) => each.group?.group === id);
    return html`${own.length === 0 && received.length === 0 ? html`<p class="empty">${this.#gives() ? "Nothing yet. Share a service, and choose who may do what with it: nobody gets your key." : "Nothing that you may use yet."}</p>` : nothing}
      ${own.length > 0 ? html`<ul class="rows">${repeat(own, (each) => each.id, (each) => this.#ownRow(each, all, known))}</ul>` : nothing}
      ${received.length > 0 ? html`<ul class="rows">${repeat(received, (each) => each.id, (each) => html`<li><hf-received .received=${each} .known=${this.#inGroup(known)} .members=${this.whole.members}></hf-received></li>`)}</ul>` : nothing}
      ${this.#gives() ? this.#form(known) : nothing}`;
  }

  #inGroup(known: readonly Known[]): readonly Known[] {
    return known.filter((each) => this.whole.members.some((member) => member.id === each.person.id));
  }

  #form(known: readonly Known[]): TemplateResult {
    if (!this.open) return html`<div class="row"><button class="button" type="button" ?disabled=${!online.value} @click=${() => (this.open = true)}>${icon("share-2", "s")} Share a service with this group</button></div>`;
    return html`<section class="card" aria-labelledby="group-share-title">
      <h3 id="group-share-title">Share a service with ${this.whole.group.name}</h3>
      <hf-group-share-form .whole=${this.whole} .known=${known} @done=${() => (this.open = false)}></hf-group-share-form>
    </section>`;
  }

  #ownRow(each: GroupResource, all: Shared, known: readonly Known[]): TemplateResult {
    const keys = new Set(offered(known).map((contact) => contact.user));
    const members = this.whole.members.filter((member) => member.id !== me()?.user.id);
    return html`<li>
      <div class="row-head"><div class="row-name"><strong>${each.name}</strong><span class="muted">${each.about} (${resourceWords(each.resource)})</span></div><span class="tag">Yours</span></div>
      ${members.length === 0 ? html`<p class="muted">Nobody else is in this group yet.</p>` : nothing}
      <ul class="people">
        ${members.map((member) => this.#member(each, member, grantOf(each, member.id, all.given), keys.has(member.id)))}
      </ul>
      ${passedOnList({ what: each.name, links: this.#passedOn(each, all), off: this.busy || !online.value, onEnd: (id, name) => void this.work(() => stopIfSure(id, name)) })}
      ${this.rewords === each.id ? html`<hf-group-words-form .resource=${each} @done=${() => this.#reworded(each)}></hf-group-words-form>` : nothing}
      <div class="row"><button class="button small" type="button" id="reword-${each.id}" aria-expanded=${this.rewords === each.id ? "true" : "false"} ?disabled=${this.busy || !online.value} aria-label="Change what agents are told of ${each.name}" @click=${() => (this.rewords = this.rewords === each.id ? "" : each.id)}>${icon("pencil", "s")} Change what agents are told</button>
        <button class="button small" type="button" ?disabled=${this.busy || !online.value} aria-label="Stop sharing ${each.name} with this group" @click=${() => void this.work(() => withdrawIfSure(each))}>${icon("x", "s")} Stop sharing</button></div>
    </li>`;
  }

  #member(each: GroupResource, member: Member, grant: Given | undefined, hasVault: boolean): TemplateResult {
    const kind = grant ? kindOf(grant.scope) : undefined;
    const off = this.busy || !online.value || !hasVault;
    return html`<li>
      <span class="avatar" aria-hidden="true">${icon("user-round", "s")}</span>
      <span class="people-name"><strong>${member.name}</strong><span class="muted">${standingWords(grant, hasVault)}</span></span>
      <select aria-label="What ${member.name} may do with ${each.name}" ?disabled=${off} @change=${(event: Event) => this.#choose(each, member, grant, event.target as HTMLSelectElement)}>
        <option value="" .selected=${kind === undefined}>Nothing</option>
        ${(Object.keys(KINDS) as Kind[]).map((one) => html`<option value=${one} .selected=${kind === one}>${KINDS[one].words}</option>`)}
      </select>
      ${grant && kind
        ? html`<div class="row-below">
            ${moreFields({ name: member.name, what: each.name, more: moreOf(grant.scope), offered: ["passOn", "manage"], off, onChange: (more, box) => this.#grant(each, member, scopeOf(kind, more), () => (box.checked = !box.checked)) })}
            <p class="muted">${grantWords(member.name, each.name, grant.scope, grant.until)}</p>
          </div>`
        : nothing}
    </li>`;
  }

  /** Those to whom it is passed on now. */
  #passedOn(each: GroupResource, { given }: Shared): PassedOn[] {
    return given.filter((one) => one.group?.resource === each.id).flatMap((one) => one.passed_on ?? []).filter((link) => link.state === "given");
  }

  #choose(each: GroupResource, member: Member, grant: Given | undefined, select: HTMLSelectElement): void {
    const kind = select.value as Kind | "";
    const undo = (): void => {
      select.value = (grant && kindOf(grant.scope)) ?? "";
    };
    this.#grant(each, member, kind === "" ? undefined : scopeOf(kind, moreOf(grant?.scope ?? [])), undo);
  }

  /** Lets somebody do this with it, or nothing any more. */
  #grant(each: GroupResource, member: Member, scope: readonly string[] | undefined, undo: () => void): void {
    const given = shared.value?.given ?? [];
    const grant = grantOf(each, member.id, given);
    void this.work(async () => {
      try {
        if (scope) await grantInGroup({ resource: each.id, with: member.id, scope, until: untilFor(each, given, Date.now()) });
        else if (grant) await stopSharing(grant.id);
      } catch (error) {
        undo();
        throw error;
      }
      announce(scope ? `${member.name} is offered ${each.name}` : `${member.name} may not use ${each.name} any more`);
    });
  }

  #reworded(each: GroupResource): void {
    this.rewords = "";
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(`#reword-${CSS.escape(each.id)}`)?.focus());
  }
}

customElements.define("hf-group-shared", GroupShared);
