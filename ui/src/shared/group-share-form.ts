/** Sharing a service with a group: what, how agents use it, who may do what, until when. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import type { WholeGroup } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { field, notice, submitButton } from "../parts/form";
import { routes } from "../secrets/services";
import type { Known } from "../trust/identities";
import { notOffered, offered } from "../trust/offered";
import { grantWords, isTooLong } from "./group-words";
import { moreFields } from "./more-fields";
import { hasParts, partField } from "./part-field";
import { grantInGroup, type GroupResource, offerToGroup } from "./shared";
import { dayField, endOfDay, type Kind, KINDS, kindOf, moreOf, resource, scopeOf } from "./words";

const DAY_MS = 24 * 60 * 60 * 1000;
const LONGEST_DAYS = 365;

export class GroupShareForm extends FormPage {
  @property({ attribute: false }) whole!: WholeGroup;
  @property({ attribute: false }) known: readonly Known[] = [];
  @state() private service = "";
  @state() private path = "";
  @state() private name = "";
  @state() private about = "";
  @state() private skill = "";
  @state() private day = dayField(Date.now() + 90 * DAY_MS);
  /** By member: what is to be signed for them. */
  @state() private may: Readonly<Record<string, readonly string[]>> = {};
  /** What was made already, where somebody could not be let use it. */
  @state() private made: GroupResource | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    const all = routes.value ?? [];
    if (all.length === 1) this.#choose(all[0]?.name ?? "");
  }

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("select")?.focus();
  }

  #choose(service: string): void {
    const before = routes.value?.find((each) => each.name === this.service);
    const route = routes.value?.find((each) => each.name === service);
    if (service !== this.service) this.path = "";
    this.service = service;
    if (this.name === "" || this.name === before?.name) this.name = route?.name ?? "";
    if (this.about === "" || this.about === before?.about) this.about = route?.about ?? "";
  }

  #until(): number | undefined {
    const until = endOfDay(this.day);
    return until !== undefined && until > Date.now() && until <= Date.now() + LONGEST_DAYS * DAY_MS ? until : undefined;
  }

  protected override render(): TemplateResult {
    if (routes.value?.length === 0) return html`${notice("info", html`You share a service: a customer list, a calendar, a shop. <a href="/services">Connect one first</a>.`)}${this.#close()}`;
    const keys = new Set(offered(this.known).map((each) => each.user));
    const others = this.whole.members.filter((each) => each.id !== me()?.user.id);
    const route = routes.value?.find((each) => each.name === this.service);
    const readOnly = route?.read_only ?? false;
    const until = this.#until();
    const long = isTooLong(this.skill);
    const ready = this.service !== "" && hasParts(route) && this.name.trim() !== "" && this.about.trim() !== "" && until !== undefined && !long;
    return html`<form @submit=${this.#submit}>
      <div class="field">
        <label for="group-what">Which service?</label>
        <select id="group-what" required @change=${(event: Event) => this.#choose((event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${this.service === ""}>Choose…</option>
          ${(routes.value ?? []).map((each) => html`<option value=${each.name} ?selected=${each.name === this.service}>${each.name}${each.about ? `: ${each.about}` : ""}</option>`)}
        </select>
      </div>
      ${field({ id: "group-name", label: "What do you call it here?", value: this.name, maxlength: 60, placeholder: "Customer list", onInput: (value) => (this.name = value) })}
      ${field({ id: "group-about", label: "What is it for?", value: this.about, maxlength: 200, placeholder: "Who our customers are, and what was agreed with them", onInput: (value) => (this.about = value) })}
      ${partField({ id: "group-path", route, value: this.path, placeholder: "/customers", onInput: (value) => (this.path = value) })}
      <div class="field">
        <label for="group-skill">What should their agents know? (optional)</label>
        <textarea id="group-skill" rows="6" aria-describedby="group-skill-hint" aria-invalid=${long ? "true" : nothing} placeholder="Search with /customers?name=… before you write to anybody." .value=${this.skill} @input=${(event: InputEvent) => (this.skill = (event.target as HTMLTextAreaElement).value)}></textarea>
        <p class="hint" id="group-skill-hint">In your own words. Each member can read it before they accept, and then their agent has it as a skill. It goes sealed from your vault to theirs.</p>
        ${long ? html`<p class="field-error">It is too long: 16 KiB at most.</p>` : nothing}
      </div>
      ${notOffered(this.known)}
      <fieldset class="choices">
        <legend>Who may do what?</legend>
        ${others.length === 0 ? html`<p class="muted">Nobody else is in this group yet. You can let them later.</p>` : nothing}
        ${others.map((member) => this.#member(member, keys.has(member.id), readOnly, until))}
      </fieldset>
      ${Object.values(this.may).some((scope) => scope.includes("write")) ? notice("warn", "You are not asked again each time that they change something. They can do it while you are away.") : nothing}
      <div class="field">
        <label for="group-day">Until the end of</label>
        <input id="group-day" type="date" required .value=${this.day} min=${dayField(Date.now())} max=${dayField(Date.now() + (LONGEST_DAYS - 1) * DAY_MS)} aria-invalid=${until === undefined ? "true" : nothing} @input=${(event: InputEvent) => (this.day = (event.target as HTMLInputElement).value)}>
        ${until === undefined ? html`<p class="field-error">A day from today on, at most a year ahead.</p>` : nothing}
      </div>
      ${notice("info", "Your vault does what they ask, with your key, while it is open. Nobody else sees the key, this server does not know what is shared, and whoever leaves the group is refused from then on.")}
      ${this.problem ? notice("error", this.made ? `It is shared, but not with everybody: ${this.problem}` : this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.#done()}>Cancel</button>
        ${submitButton("Share", this.busy, "Sharing…", !ready || !online.value)}
      </div>
    </form>`;
  }

  #member(member: { id: string; name: string }, hasVault: boolean, readOnly: boolean, until: number | undefined): TemplateResult {
    const scope = this.may[member.id];
    const kind = scope && kindOf(scope);
    return html`<div class="field">
        <label for="group-may-${member.id}">${member.name}</label>
        <select id="group-may-${member.id}" ?disabled=${!hasVault} @change=${(event: Event) => this.#chooseKind(member.id, (event.target as HTMLSelectElement).value as Kind | "")}>
          <option value="">${hasVault ? "Nothing" : "Has not opened a vault yet"}</option>
          ${(Object.keys(KINDS) as Kind[]).map((each) => html`<option value=${each} ?disabled=${each !== "read" && readOnly} ?selected=${kind === each}>${KINDS[each].words}</option>`)}
        </select>
      </div>
      ${scope && kind
        ? html`${moreFields({ name: member.name, what: this.name, more: moreOf(scope), offered: ["passOn", "manage"], off: false, onChange: (more) => this.#let(member.id, scopeOf(kind, more)) })}
            ${until === undefined ? nothing : html`<p class="hint">${grantWords(member.name, this.name.trim() || this.service, scope, until)}</p>`}`
        : nothing}`;
  }

  #close(): TemplateResult {
    return html`<div class="row end"><button class="button" type="button" @click=${() => this.#done()}>Close</button></div>`;
  }

  #chooseKind(member: string, kind: Kind | ""): void {
    this.#let(member, kind === "" ? undefined : scopeOf(kind, moreOf(this.may[member] ?? [])));
  }

  #let(member: string, scope: readonly string[] | undefined): void {
    const others = Object.entries(this.may).filter(([each]) => each !== member);
    this.may = Object.fromEntries(scope ? [...others, [member, scope]] : others);
  }

  #done(): void {
    this.dispatchEvent(new CustomEvent("done"));
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const until = this.#until();
    if (until === undefined) return;
    const { group } = this.whole;
    void this.work(async () => {
      // One that was made before a grant failed is not made again.
      this.made ??= await offerToGroup({ group: group.id, group_name: group.name, name: this.name.trim(), about: this.about.trim(), resource: resource(this.service, this.path), skill: this.skill.trim() });
      const { made } = this;
      for (const [member, scope] of Object.entries(this.may)) {
        await grantInGroup({ resource: made.id, with: member, scope, until });
        this.#let(member, undefined);
      }
      announce(`${made.name} is shared with ${group.name}`);
      this.#done();
    });
  };
}

customElements.define("hf-group-share-form", GroupShareForm);
