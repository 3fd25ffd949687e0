/** The groups that one is in, those that one is invited to, and making one. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type Group, type GroupInvitation } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { go } from "../app/router";
import { field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { FormPage } from "./page";
import { tabs } from "./people-tabs";

export class GroupsPage extends FormPage {
  @state() private groups: readonly Group[] | undefined;
  @state() private invitations: readonly GroupInvitation[] = [];
  /** There are more than the list has. */
  @state() private more = false;
  @state() private loadProblem = "";
  @state() private name = "";
  @state() private done = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      const [groups, invitations] = await Promise.all([api.groups(), api.groupInvitations()]);
      this.groups = groups.groups;
      this.more = groups.more;
      this.invitations = invitations.invitations;
      this.loadProblem = "";
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <h1>Groups</h1>
      ${tabs()}
      <p class="lead">People who work on the same things. Being in a group opens nobody’s vault and no conversation.</p>
      ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.done ? notice("ok", this.done) : nothing} ${this.#invited()}
      ${this.more ? notice("info", "There are more groups than this page lists: those that come first by name are here.") : nothing}
      ${this.groups ? this.#list(this.groups) : this.loadProblem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`}
      ${me()?.user.role === "observer" ? nothing : this.#newGroup()}
    </div>`;
  }

  #invited(): TemplateResult | typeof nothing {
    if (this.invitations.length === 0) return nothing;
    return html`<section class="card" aria-labelledby="invited-title">
      <h2 id="invited-title">You are invited</h2>
      <ul class="people">
        ${this.invitations.map(
          (each) => html`<li>
            <span class="avatar pending" aria-hidden="true">${icon("users-round", "s")}</span>
            <span class="people-name"><strong>${each.group.name}</strong><span class="muted">by ${each.invited_by}${each.role === "admin" ? ", as an admin" : ""}, open until ${new Date(each.expires_at).toLocaleDateString()}</span></span>
            <button class="button small primary" type="button" ?disabled=${this.busy} aria-label="Join ${each.group.name}" @click=${() => this.#answer(each, "accept")}>Join</button>
            <button class="button small" type="button" ?disabled=${this.busy} aria-label="Decline to join ${each.group.name}" @click=${() => this.#answer(each, "decline")}>Decline</button>
          </li>`,
        )}
      </ul>
      <p class="hint">Who invited you is not told when you decline.</p>
    </section>`;
  }

  #list(groups: readonly Group[]): TemplateResult {
    if (groups.length === 0) return html`<p class="list-note">You are in no group yet.</p>`;
    return html`<ul class="people">
      ${groups.map(
        (group) => html`<li>
          <span class="avatar ${group.archived ? "pending" : ""}" aria-hidden="true">${icon("users-round", "s")}</span>
          <span class="people-name"><strong><a href="/groups/${group.id}">${group.name}</a></strong><span class="muted">${group.members === 1 ? "1 person" : `${group.members} people`}${group.role ? "" : ", you are not in it"}</span></span>
          ${group.archived ? html`<span class="tag">put away</span>` : group.role === "admin" ? html`<span class="tag">Admin</span>` : nothing}
        </li>`,
      )}
    </ul>`;
  }

  #newGroup(): TemplateResult {
    return html`<section class="card" aria-labelledby="new-group-title">
      <h2 id="new-group-title">New group</h2>
      <form @submit=${this.#make}>
        ${field({ id: "group-name", label: "Name", value: this.name, maxlength: 100, onInput: (value) => (this.name = value) })}
        ${this.problem ? notice("error", this.problem) : nothing} ${submitButton("Make group", this.busy)}
      </form>
    </section>`;
  }

  #make = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const { id } = await api.makeGroup(this.name.trim());
      go(`/groups/${id}`);
    });
  };

  #answer(invitation: GroupInvitation, answer: "accept" | "decline"): void {
    this.done = "";
    void this.work(async () => {
      await api.answerGroup(invitation.id, answer);
      this.done = answer === "accept" ? `You are in ${invitation.group.name} now.` : `You declined to join ${invitation.group.name}.`;
      announce(this.done);
      await this.#load();
    });
  }
}

customElements.define("hf-groups", GroupsPage);
