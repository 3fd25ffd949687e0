/** Who may use what somebody shares with a group, for a member who manages it for them: asked of their vault, and changed there. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import type { WholeGroup } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { notice } from "../parts/form";
import { icon } from "../parts/icon";
import { grantWords, usualUntil } from "./group-words";
import { moreFields } from "./more-fields";
import { type Managed, manageReceived, type ManageRequest, type Received } from "./shared";
import { type Kind, kindOf, KINDS, kindsWithin, moreOf, scopeOf } from "./words";

type Member = WholeGroup["members"][number];

export class ManageList extends FormPage {
  @property({ attribute: false }) received!: Received;
  @property({ attribute: false }) members: readonly Member[] = [];
  /** As their vault said last. */
  @state() private managed: readonly Managed[] | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#look();
  }

  #owner(): string {
    return this.received.name ?? "whoever shares it";
  }

  #what(): string {
    return this.received.group?.name ?? "";
  }

  protected override render(): TemplateResult {
    const { managed, received } = this;
    const others = this.members.filter((each) => each.id !== me()?.user.id && each.id !== received.owner);
    return html`<section class="inset stack" aria-label="Who may use ${this.#what()}">
      <p class="muted">You manage this for ${this.#owner()}: their vault does what you say here, while it is open, and notes that it was you. Nobody gets more than you have, and you do not see the key.</p>
      <p class="muted" role="status">${this.busy ? `Asking ${this.#owner()}’s vault…` : ""}</p>
      ${this.problem ? html`${notice("error", this.problem)}<div class="row"><button class="button small" type="button" ?disabled=${this.busy || !online.value} @click=${() => this.#look()}>Look again</button></div>` : nothing}
      ${managed && others.length === 0 ? html`<p class="muted">Nobody else is in this group yet.</p>` : nothing}
      ${managed ? html`<ul class="people">${others.map((member) => this.#member(member, managed.find((each) => each.user === member.id)))}</ul>` : nothing}
    </section>`;
  }

  #member(member: Member, has: Managed | undefined): TemplateResult {
    const own = this.received.scope;
    const kind = has && kindOf(has.scope);
    const kinds = kindsWithin(own);
    const off = this.busy || !online.value || has?.scope.includes("admin") === true;
    return html`<li>
      <span class="avatar" aria-hidden="true">${icon("user-round", "s")}</span>
      <span class="people-name"><strong>${member.name}</strong><span class="muted">${!has ? "May not use it" : has.arrived ? "Has it" : "On its way to their vault"}</span></span>
      <select aria-label="What ${member.name} may do with ${this.#what()}" ?disabled=${off} @change=${(event: Event) => this.#choose(member, has, event.target as HTMLSelectElement)}>
        <option value="" .selected=${!has}>Nothing</option>
        ${(Object.keys(KINDS) as Kind[]).filter((each) => kinds.includes(each) || each === kind).map((each) => html`<option value=${each} ?disabled=${!kinds.includes(each)} .selected=${kind === each}>${KINDS[each].words}</option>`)}
        ${has && !kind ? html`<option value="other" disabled .selected=${true}>Something else</option>` : nothing}
      </select>
      ${has
        ? html`<div class="row-below">
            ${kind && kinds.includes(kind) ? moreFields({ name: member.name, what: this.#what(), more: moreOf(has.scope), offered: own.includes("share") ? ["passOn"] : [], off, onChange: (more, box) => this.#ask(this.#grant(member, scopeOf(kind, more)), () => (box.checked = !box.checked)) }) : nothing}
            <p class="muted">${grantWords(member.name, this.#what(), has.scope, has.until, this.#owner())}</p>
            ${has.scope.includes("admin") ? html`<p class="muted">What ${member.name} may do is for ${this.#owner()} to say.</p>` : nothing}
          </div>`
        : nothing}
    </li>`;
  }

  #grant(member: Member, scope: readonly string[]): ManageRequest {
    const until = Math.min(usualUntil(this.managed ?? [], Date.now()), this.received.until);
    return { act: "grant", user: member.id, scope: scope.filter((each) => this.received.scope.includes(each)), until };
  }

  #choose(member: Member, has: Managed | undefined, select: HTMLSelectElement): void {
    const kind = select.value as Kind | "";
    const passOn = has?.scope.includes("share") ?? false;
    this.#ask(kind === "" ? { act: "end", user: member.id } : this.#grant(member, scopeOf(kind, { passOn })), () => {
      select.value = has ? (kindOf(has.scope) ?? "other") : "";
    });
  }

  #look(): void {
    this.#ask({ act: "look" }, () => undefined);
  }

  #ask(asked: ManageRequest, undo: () => void): void {
    void this.work(async () => {
      try {
        this.managed = await manageReceived(this.received.id, asked);
      } catch (error) {
        undo();
        throw error;
      }
      if (asked.act !== "look") announce(`${this.#owner()}’s vault has done it`);
    });
  }
}

customElements.define("hf-manage-list", ManageList);
