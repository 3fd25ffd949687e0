/** Who is here, and inviting more. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type Invitation, type Losses, type Person, type Role } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { confirmBox } from "../parts/confirm-box";
import { field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { leftWords, lossWords, stillGoing } from "../parts/loss-words";
import { ROLES } from "../parts/role-words";
import { withStepUp } from "../parts/step-up";
import { tabs } from "./people-tabs";
import { FormPage } from "./page";

const WITH_ARTICLE: Record<Role, string> = { owner: "an owner", admin: "an admin", member: "a member", observer: "an observer" };

const MAY: Record<Role, string> = {
  owner: "Owners may do everything, also make and remove owners.",
  admin: "Admins invite and manage people, but not owners.",
  member: "Members use an agent of their own.",
  observer: "Observers see and change nothing.",
};

export class PeoplePage extends FormPage {
  @state() private people: readonly Person[] | undefined;
  @state() private invitations: readonly Invitation[] = [];
  /** There are more than the list has. */
  @state() private more = false;
  @state() private loadProblem = "";
  @state() private email = "";
  @state() private newRole: Role = "member";
  @state() private invited = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  #mayInvite(): boolean {
    const role = me()?.user.role;
    return role === "owner" || role === "admin";
  }

  async #load(): Promise<void> {
    try {
      const [people, invitations] = await Promise.all([api.people(), this.#mayInvite() ? api.invitations() : { invitations: [] }]);
      this.people = people.people;
      this.more = people.more;
      this.invitations = invitations.invitations.filter((each) => each.status === "pending" || each.status === "expired");
      this.loadProblem = "";
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <h1>People</h1>
      ${tabs()}
      <p class="lead">Everyone at ${me()?.tenant.name ?? ""} has an agent of their own. Nobody sees anyone else’s conversations.</p>
      ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.more ? notice("info", "There are more people than this page lists: those that come first by name are here.") : nothing}
      ${this.people ? this.#list(this.people) : this.loadProblem ? nothing : html`<div class="skeleton-list" aria-hidden="true"><i></i><i></i><i></i></div>`}
      ${this.#mayInvite() ? this.#invite() : nothing}
    </div>`;
  }

  #list(people: readonly Person[]): TemplateResult {
    return html`<ul class="people">
      ${people.map(
        (person) => html`<li>
          <span class="avatar" aria-hidden="true">${initials(person.name)}</span>
          <span class="people-name"><strong>${person.name}${person.id === me()?.user.id ? html` <span class="muted">(you)</span>` : nothing}</strong><span class="muted">${person.email}${person.suspended ? ", suspended" : ""}</span></span>
          ${this.#role(person)} ${this.#acts(person)}
        </li>`,
      )}
      ${this.invitations.map(
        (each) => html`<li>
          <span class="avatar pending" aria-hidden="true">${icon("mail", "s")}</span>
          <span class="people-name"><strong>${each.email}</strong><span class="muted">${each.status === "expired" ? "Invitation expired" : `Invited, open until ${new Date(each.expires_at).toLocaleDateString()}`}</span></span>
          <span class="tag">${ROLES[each.role]}</span>
          <button class="button small" type="button" @click=${() => void this.#resend(each)}>Send again</button>
          <button class="button small" type="button" aria-label="Withdraw the invitation of ${each.email}" @click=${() => void this.#withdraw(each)}>Withdraw</button>
        </li>`,
      )}
    </ul>`;
  }

  #invite(): TemplateResult {
    return html`<section class="card" aria-labelledby="invite-title">
      <h2 id="invite-title">Invite someone</h2>
      <form @submit=${this.#submit}>
        ${field({ id: "invite-email", label: "E-mail address", type: "email", value: this.email, onInput: (value) => (this.email = value) })}
        <div class="field">
          <label for="invite-role">Role</label>
          <select id="invite-role" .value=${this.newRole} @change=${(event: Event) => (this.newRole = (event.target as HTMLSelectElement).value as Role)}>
            <option value="member">Member: uses an agent</option>
            <option value="admin">Admin: also invites people</option>
            <option value="observer">Observer: sees, changes nothing</option>
          </select>
        </div>
        ${this.problem ? notice("error", this.problem) : nothing}
        ${this.invited ? notice("ok", this.invited) : nothing}
        ${submitButton("Send invitation", this.busy)}
      </form>
    </section>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      this.invited = "";
      const invitation = await withStepUp(() => api.invite({ email: this.email.trim(), role: this.newRole }));
      if (!invitation) return;
      this.#told(invitation);
      this.email = "";
      await this.#load();
    });
  };

  #told(invitation: Invitation): void {
    if (invitation.delivery === "failed") throw new Error(`The invitation of ${invitation.email} is kept, but its mail could not be sent. Try “Send again” later.`);
    this.invited = `${invitation.email} has an invitation in the mail. It works once, for 7 days.`;
    announce("Invitation sent");
  }

  /** Somebody's role; for who may change it, a choice. Owners are made by owners. */
  #role(person: Person): TemplateResult {
    const who = me()?.user;
    if (!this.#mayInvite() || person.id === who?.id || (person.role === "owner" && who?.role !== "owner")) return html`<span class="tag">${ROLES[person.role]}</span>`;
    const roles = (Object.keys(ROLES) as Role[]).filter((role) => role !== "owner" || who?.role === "owner");
    return html`<select class="role" aria-label="Role of ${person.name}" ?disabled=${this.busy} @change=${(event: Event) => this.#changeRole(person, event.target as HTMLSelectElement)}>
      ${roles.map((role) => html`<option value=${role} ?selected=${role === person.role}>${ROLES[role]}</option>`)}
    </select>`;
  }

  #changeRole(person: Person, select: HTMLSelectElement): void {
    const role = select.value as Role;
    const back = (): void => {
      select.value = person.role;
    };
    void this.work(async () => {
      const sure = await confirmBox({ title: `Make ${person.name} ${WITH_ARTICLE[role]}?`, words: `${MAY[role]} It counts from their next click on.`, yes: "Change role", danger: role === "owner" });
      const changed =
        sure &&
        (await withStepUp(async () => {
          await api.changeRole(person.id, role);
          return true;
        }));
      if (!changed) return back();
      this.invited = `${person.name} is ${WITH_ARTICLE[role]} now.`;
      announce(this.invited);
      await this.#load();
    }).then(() => this.problem && back());
  }

  /** What may be done to somebody: nothing to oneself, and nothing to owners unless one is an owner. */
  #acts(person: Person): TemplateResult | typeof nothing {
    const who = me()?.user;
    if (!this.#mayInvite() || person.id === who?.id || (person.role === "owner" && who?.role !== "owner")) return nothing;
    return html`<span class="row">${person.suspended
        ? html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="Let back in ${person.name}" @click=${() => this.#restore(person)}>Let back in</button>`
        : html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="Suspend ${person.name}" @click=${() => this.#suspend(person)}>Suspend</button>`}
      <button class="button small" type="button" ?disabled=${this.busy} aria-label="Reset factors of ${person.name}" @click=${() => this.#resetFactors(person)}>Reset factors</button>
      <button class="button small" type="button" ?disabled=${this.busy} aria-label="Remove ${person.name}" @click=${() => this.#remove(person)}>Remove</button></span>`;
  }

  #suspend(person: Person): void {
    void this.work(async () => {
      const losses = await withStepUp(() => api.cascade(person.id));
      if (!losses) return;
      const sure = await confirmBox({ title: `Suspend ${person.name}?`, words: `They lose at once: ${lossWords({ ...losses, second_factors: 0, linked_accounts: 0 })}. Their agent goes to sleep, and their vault is kept, closed, as are their second factors and the accounts elsewhere that they sign in with, until you let them back in.${leftWords(losses)}`, yes: "Suspend", danger: true });
      if (sure) await this.#gone(`${person.name} is suspended`, await api.suspend(person.id));
    });
  }

  /** For who lost their phone. */
  #resetFactors(person: Person): void {
    void this.work(async () => {
      const words = "Do this when they lost their phone and you have spoken with them: whoever has their mail can sign in as them until they set one up again. Their authenticator app, passkeys for signing in and backup codes stop working, they are signed out everywhere, and a mail tells them. Their vault stays as it is.";
      if (!(await confirmBox({ title: `Reset the second factors of ${person.name}?`, words, yes: "Reset", danger: true }))) return;
      const reset = await withStepUp(async () => {
        await api.resetFactors(person.id);
        return true;
      });
      if (!reset) return;
      this.invited = `The second factors of ${person.name} are reset.`;
      announce(this.invited);
    });
  }

  #remove(person: Person): void {
    void this.work(async () => {
      const losses = await withStepUp(() => api.cascade(person.id));
      if (!losses) return;
      const sure = await confirmBox({ title: `Remove ${person.name} for ever?`, words: `They lose at once: ${lossWords(losses)}. Their agent, their vault and every conversation are deleted; nobody can bring them back.${leftWords(losses)}`, yes: "Remove for ever", danger: true });
      if (sure) await this.#gone(`${person.name} is removed`, await api.removePerson(person.id));
    });
  }

  async #gone(words: string, losses: Losses): Promise<void> {
    this.invited = `${words}. Ended: ${lossWords(losses)}.${leftWords(losses)}${stillGoing(losses)}`;
    announce(words);
    await this.#load();
  }

  #restore(person: Person): void {
    void this.work(async () => {
      const back = await withStepUp(async () => {
        await api.restore(person.id);
        return true;
      });
      if (!back) return;
      this.invited = `${person.name} may sign in again.`;
      announce(this.invited);
      await this.#load();
    });
  }

  async #resend(invitation: Invitation): Promise<void> {
    await this.work(async () => {
      this.invited = "";
      this.#told(await api.resend(invitation.id));
      await this.#load();
    });
  }

  async #withdraw(invitation: Invitation): Promise<void> {
    await this.work(async () => {
      await api.withdraw(invitation.id);
      this.invited = "";
      announce("Invitation withdrawn");
      await this.#load();
    });
  }
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  return `${words[0]?.[0] ?? "?"}${words.length > 1 ? (words.at(-1)?.[0] ?? "") : ""}`.toUpperCase();
}

customElements.define("hf-people", PeoplePage);
