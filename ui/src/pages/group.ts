/** One group: who is in it, and, for those who manage it, who comes in and goes. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { api, type GroupRole, Problem, type WholeGroup } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { go } from "../app/router";
import { askText, confirmBox } from "../parts/confirm-box";
import { field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import "../shared/group-shared";
import { lookAtGroups } from "../shared/shared";
import { FormPage } from "./page";

type Member = WholeGroup["members"][number];

export class GroupPage extends FormPage {
  /** Its id. */
  @property({ attribute: false }) group = "";
  @state() private whole: WholeGroup | undefined;
  @state() private missing = false;
  @state() private loadProblem = "";
  @state() private email = "";
  @state() private newRole: GroupRole = "member";
  @state() private done = "";

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has("group")) return;
    this.whole = undefined;
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.whole = await api.group(this.group);
      this.loadProblem = "";
    } catch (error) {
      this.missing = error instanceof Problem && error.status === 404;
      this.loadProblem = this.missing ? "" : sentence(error);
    }
  }

  protected override render(): TemplateResult {
    if (this.missing) return html`<div class="page"><h1>There is no such group</h1><p class="lead">Or you are not in it.</p><p><a class="button" href="/groups">Go to your groups</a></p></div>`;
    const { whole } = this;
    if (!whole)
      return html`<div class="page">
        <h1>Group</h1>
        ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`}
      </div>`;
    const { group } = whole;
    return html`<div class="page">
      <h1>${group.name}</h1>
      <p class="lead"><a href="/groups">All groups</a></p>
      ${group.archived ? notice("info", "This group is put away: nobody can come in.") : nothing} ${this.problem ? notice("error", this.problem) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      ${this.#members(whole)} ${group.role ? html`<hf-group-shared .whole=${whole}></hf-group-shared>` : nothing} ${group.manages && !group.archived ? this.#invite() : nothing} ${this.#acts(whole)}
    </div>`;
  }

  #members(whole: WholeGroup): TemplateResult {
    const { group } = whole;
    const own = me()?.user.id;
    return html`<ul class="people">
      ${whole.members.map(
        (member) => html`<li>
          <span class="avatar" aria-hidden="true">${icon("user-round", "s")}</span>
          <span class="people-name"><strong>${member.name}${member.id === own ? html` <span class="muted">(you)</span>` : nothing}</strong><span class="muted">${member.email}</span></span>
          ${group.manages && !group.archived
            ? html`<select class="role" aria-label="Role of ${member.name} in this group" ?disabled=${this.busy} @change=${(event: Event) => this.#role(member, event.target as HTMLSelectElement)}>
                <option value="member" ?selected=${member.role === "member"}>Member</option>
                <option value="admin" ?selected=${member.role === "admin"}>Admin</option>
              </select>`
            : html`<span class="tag">${member.role === "admin" ? "Admin" : "Member"}</span>`}
          ${group.manages && member.id !== own ? html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="Take out ${member.name}" @click=${() => this.#remove(member)}>Take out</button>` : nothing}
        </li>`,
      )}
      ${(whole.invitations ?? []).map(
        (each) => html`<li>
          <span class="avatar pending" aria-hidden="true">${icon("mail", "s")}</span>
          <span class="people-name"><strong>${each.email}</strong><span class="muted">Invited, open until ${new Date(each.expires_at).toLocaleDateString()}</span></span>
          <span class="tag">${each.role === "admin" ? "Admin" : "Member"}</span>
          <button class="button small" type="button" ?disabled=${this.busy} aria-label="Withdraw the invitation of ${each.email}" @click=${() => this.#withdraw(each.id, each.email)}>Withdraw</button>
        </li>`,
      )}
    </ul>`;
  }

  #invite(): TemplateResult {
    return html`<section class="card" aria-labelledby="invite-title">
      <h2 id="invite-title">Invite somebody</h2>
      <form @submit=${this.#submit}>
        ${field({ id: "invite-email", label: "E-mail address", type: "email", value: this.email, hint: "Whoever has this address here finds the invitation on their page “Groups”, for 7 days. You are not told whether somebody has it.", onInput: (value) => (this.email = value) })}
        <div class="field">
          <label for="invite-role">Role</label>
          <select id="invite-role" @change=${(event: Event) => (this.newRole = (event.target as HTMLSelectElement).value as GroupRole)}>
            <option value="member">Member</option>
            <option value="admin">Admin: invites and takes out</option>
          </select>
        </div>
        ${submitButton("Invite", this.busy)}
      </form>
    </section>`;
  }

  #acts(whole: WholeGroup): TemplateResult | typeof nothing {
    const { group } = whole;
    if (!group.manages && !group.role) return nothing;
    return html`<div class="row">
      ${group.manages
        ? html`<button class="button" type="button" ?disabled=${this.busy} @click=${() => this.#rename(whole)}>${icon("pencil", "s")} Rename</button>
            <button class="button" type="button" ?disabled=${this.busy} @click=${() => this.#archive(whole)}>${group.archived ? "Take out again" : "Put away"}</button>`
        : nothing}
      ${group.role ? html`<button class="button" type="button" ?disabled=${this.busy} @click=${() => this.#leave(whole)}>${icon("log-out", "s")} Leave</button>` : nothing}
    </div>`;
  }

  #act(words: string, action: () => Promise<boolean | void>): void {
    this.done = "";
    void this.work(async () => {
      if ((await action()) === false) return;
      await lookAtGroups();
      this.done = words;
      announce(words);
      await this.#load();
    });
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const email = this.email.trim();
    this.#act(`${email} is invited.`, async () => {
      await api.inviteToGroup(this.group, { email, role: this.newRole });
      this.email = "";
    });
  };

  #role(member: Member, select: HTMLSelectElement): void {
    const role = select.value as GroupRole;
    this.#act(`${member.name} is ${role === "admin" ? "an admin" : "a member"} of this group now.`, async () => {
      try {
        await api.changeGroupRole(this.group, member.id, role);
      } catch (error) {
        select.value = member.role;
        throw error;
      }
    });
  }

  #remove(member: Member): void {
    this.#act(`${member.name} is out of this group.`, async () => {
      const sure = await confirmBox({ title: `Take ${member.name} out?`, words: "What they have through this group ends at once, and invitations to it that they sent are withdrawn.", yes: "Take out", danger: true });
      if (sure) await api.removeMember(this.group, member.id);
      return sure;
    });
  }

  #withdraw(id: string, email: string): void {
    this.#act(`The invitation of ${email} is withdrawn.`, () => api.withdrawFromGroup(this.group, id));
  }

  #rename(whole: WholeGroup): void {
    this.#act("The group has a new name.", async () => {
      const name = await askText("Rename the group", "Name", whole.group.name, 100);
      if (name === undefined || name === whole.group.name) return false;
      await api.changeGroup(this.group, { name, archived: whole.group.archived });
      return true;
    });
  }

  #archive(whole: WholeGroup): void {
    const { name, archived } = whole.group;
    this.#act(archived ? "The group is back." : "The group is put away.", async () => {
      const sure = archived || (await confirmBox({ title: `Put ${name} away?`, words: "Nobody can come in, open invitations end, and what is shared in it is refused from now on. It can be taken out again; what was shared has to be shared anew.", yes: "Put away" }));
      if (sure) await api.changeGroup(this.group, { name, archived: !archived });
      return sure;
    });
  }

  #leave(whole: WholeGroup): void {
    void this.work(async () => {
      const sure = await confirmBox({ title: `Leave ${whole.group.name}?`, words: "What you have through this group, and what you share in it, ends at once. You come back only when somebody invites you again.", yes: "Leave", danger: true });
      if (!sure) return;
      await api.removeMember(this.group, me()?.user.id ?? "");
      await lookAtGroups();
      announce(`You left ${whole.group.name}.`);
      go("/groups");
    });
  }
}

customElements.define("hf-group", GroupPage);
