/** Keys with which programs act as a person, or as a service account. A key is shown once, when it is made. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type ApiKey, type MadeKey, type Role, type Scope, type ServiceAccount } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { confirmBox } from "../parts/confirm-box";
import "../parts/copy";
import { field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { withStepUp } from "../parts/step-up";
import { FormPage } from "./page";

interface ScopeWords {
  scope: Scope;
  words: string;
  /** Of use to owners and admins alone. */
  managers?: boolean;
  /** About a cell, which service accounts have none of. */
  cell?: boolean;
}

const SCOPES: readonly ScopeWords[] = [
  { scope: "profile", words: "See who it acts as" },
  { scope: "people:read", words: "See the people of the organisation" },
  { scope: "people:manage", words: "Invite people", managers: true },
  { scope: "audit:read", words: "Read the audit log" },
  { scope: "groups:read", words: "See the groups that it is in" },
  { scope: "groups:manage", words: "Make groups, and change those that it manages" },
  { scope: "cell:read", words: "See whether your agent is awake", cell: true },
  { scope: "cell:wake", words: "Wake your agent", cell: true },
];

const LIVES = [
  { days: 7, words: "7 days" },
  { days: 30, words: "30 days" },
  { days: 90, words: "90 days" },
  { days: 365, words: "A year" },
];

const OVERLAP_HOURS = 24;

export class KeysPage extends FormPage {
  @state() private keys: readonly ApiKey[] | undefined;
  @state() private accounts: readonly ServiceAccount[] = [];
  @state() private loadProblem = "";
  @state() private made: MadeKey | undefined;
  @state() private done = "";
  @state() private name = "";
  /** A service account's id, or nothing for oneself. */
  @state() private holder = "";
  @state() private scopes: ReadonlySet<Scope> = new Set(["profile"]);
  @state() private days = 90;
  @state() private accountName = "";
  @state() private accountRole: Role = "member";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  #manages(): boolean {
    const role = me()?.user.role;
    return role === "owner" || role === "admin";
  }

  async #load(): Promise<void> {
    try {
      const [own, accounts] = await Promise.all([api.keys(), this.#manages() ? api.serviceAccounts() : { service_accounts: [] }]);
      this.keys = own.keys;
      this.accounts = accounts.service_accounts;
      this.loadProblem = "";
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <h1>API keys</h1>
      <p class="lead">With a key, a program acts as you. No key opens your vault, reads a conversation, or may do more than you.</p>
      ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing} ${this.done ? notice("ok", this.done) : nothing} ${this.made ? this.#shown(this.made) : nothing}
      ${this.keys ? html`${this.#own(this.keys)} ${this.#newKey()} ${this.#manages() ? this.#services() : nothing}` : this.loadProblem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #shown(made: MadeKey): TemplateResult {
    return html`<section class="card" aria-labelledby="made-title">
      <h2 id="made-title" tabindex="-1">Copy “${made.name}” now</h2>
      <p>It is shown this once. Who has it can do what it is for; keep it as you keep a password.</p>
      <div class="setting"><code class="key" id="made-key">${made.key}</code><hf-copy .text=${made.key} label="Copy the key"></hf-copy></div>
      <button class="button primary wide" type="button" @click=${() => (this.made = undefined)}>I have it</button>
    </section>`;
  }

  #own(keys: readonly ApiKey[]): TemplateResult {
    return html`<section class="card" aria-labelledby="own-title">
      <h2 id="own-title">Your keys</h2>
      ${keys.length === 0 ? html`<p class="muted">You have none.</p>` : this.#list(keys)}
    </section>`;
  }

  #list(keys: readonly ApiKey[]): TemplateResult {
    return html`<ul class="people">
      ${keys.map(
        (key) => html`<li>
          <span class="avatar ${key.status === "active" ? "" : "pending"}" aria-hidden="true">${icon("key-round", "s")}</span>
          <span class="people-name">
            <strong>${key.name}</strong>
            <span class="muted"><code>${key.hint}…</code> ${key.scopes.map(scopeWords).join(", ")}</span>
            <span class="muted">${used(key)}, ${until(key)}</span>
          </span>
          ${key.status === "active" ? html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="Replace ${key.name}" @click=${() => this.#replace(key)}>Replace</button>` : html`<span class="tag">${key.status === "replaced" ? "replaced" : "over"}</span>`}
          <button class="button small" type="button" ?disabled=${this.busy} aria-label="Revoke ${key.name}" @click=${() => this.#revoke(key)}>${key.status === "expired" ? "Clear" : "Revoke"}</button>
        </li>`,
      )}
    </ul>`;
  }

  #offered(): readonly ScopeWords[] {
    const account = this.accounts.find((each) => each.id === this.holder);
    const manages = account ? account.role === "admin" : this.#manages();
    return SCOPES.filter((each) => (!each.managers || manages) && !(each.cell && account));
  }

  #newKey(): TemplateResult {
    return html`<section class="card" aria-labelledby="new-key-title">
      <h2 id="new-key-title">New key</h2>
      <form @submit=${this.#make}>
        ${field({ id: "key-name", label: "Name", value: this.name, maxlength: 100, hint: "What it is for, such as “laptop” or “nightly report”.", onInput: (value) => (this.name = value) })}
        ${this.accounts.length > 0
          ? html`<div class="field">
              <label for="key-holder">It acts as</label>
              <select id="key-holder" @change=${(event: Event) => (this.holder = (event.target as HTMLSelectElement).value)}>
                <option value="" .selected=${this.holder === ""}>Me</option>
                ${this.accounts.map((each) => html`<option value=${each.id} .selected=${this.holder === each.id}>${each.name} (service account)</option>`)}
              </select>
            </div>`
          : nothing}
        <fieldset class="choices">
          <legend>It may</legend>
          ${this.#offered().map(({ scope, words }) => html`<label class="check"><input type="checkbox" .checked=${this.scopes.has(scope)} @change=${() => this.#toggle(scope)}> ${words}</label>`)}
        </fieldset>
        <div class="field">
          <label for="key-days">It ends after</label>
          <select id="key-days" @change=${(event: Event) => (this.days = Number((event.target as HTMLSelectElement).value))}>
            ${LIVES.map(({ days, words }) => html`<option value=${days} ?selected=${days === this.days}>${words}</option>`)}
          </select>
        </div>
        ${submitButton("Make key", this.busy)}
      </form>
    </section>`;
  }

  #services(): TemplateResult {
    return html`<section class="card" aria-labelledby="services-title">
      <h2 id="services-title">Service accounts</h2>
      <p class="muted">For programs that belong to the organisation and to no person: they stay when somebody leaves. Nobody signs in as one.</p>
      ${this.accounts.map(
        (account) => html`<div class="inset stack">
          <div class="row">
            <span class="people-name"><strong>${account.name}</strong><span class="muted">${account.keys.length === 0 ? "no keys yet" : account.keys.length === 1 ? "1 key" : `${account.keys.length} keys`}</span></span>
            <span class="tag">${account.role === "admin" ? "Admin" : account.role === "observer" ? "Observer" : "Member"}</span>
            <button class="button small" type="button" ?disabled=${this.busy} aria-label="Remove ${account.name}" @click=${() => this.#removeAccount(account)}>Remove</button>
          </div>
          ${account.keys.length > 0 ? this.#list(account.keys) : nothing}
        </div>`,
      )}
      <form @submit=${this.#makeAccount}>
        ${field({ id: "account-name", label: "Name of a new service account", value: this.accountName, maxlength: 100, onInput: (value) => (this.accountName = value) })}
        <div class="field">
          <label for="account-role">Role</label>
          <select id="account-role" .value=${this.accountRole} @change=${(event: Event) => (this.accountRole = (event.target as HTMLSelectElement).value as Role)}>
            <option value="member">Member</option>
            <option value="admin">Admin: may also invite people</option>
            <option value="observer">Observer: sees, changes nothing</option>
          </select>
        </div>
        ${submitButton("Add service account", this.busy)}
      </form>
    </section>`;
  }

  #toggle(scope: Scope): void {
    const scopes = new Set(this.scopes);
    if (!scopes.delete(scope)) scopes.add(scope);
    this.scopes = scopes;
  }

  #act(action: () => Promise<void>): void {
    this.done = "";
    void this.work(async () => {
      await action();
      await this.#load();
    });
  }

  #say(words: string): void {
    this.done = words;
    announce(words);
  }

  #show(made: MadeKey): void {
    this.made = made;
    announce("The key is shown once. Copy it now.");
    void this.updateComplete.then(() => this.querySelector<HTMLElement>("#made-title")?.focus());
  }

  #make = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#act(async () => {
      const offered = new Set(this.#offered().map((each) => each.scope));
      const wanted = { name: this.name.trim(), scopes: [...this.scopes].filter((scope) => offered.has(scope)), days: this.days };
      const made = await withStepUp(() => (this.holder === "" ? api.makeKey(wanted) : api.makeServiceKey(this.holder, wanted)));
      if (!made) return;
      this.name = "";
      this.#show(made);
    });
  };

  #replace(key: ApiKey): void {
    this.#act(async () => {
      const sure = await confirmBox({ title: `Replace “${key.name}”?`, words: `You get a new key for the same things. The old one works for another ${OVERLAP_HOURS} hours, so that you can change your programs one by one.`, yes: "Replace" });
      if (!sure) return;
      const made = await withStepUp(() => api.rotateKey(key.id, OVERLAP_HOURS));
      if (made) this.#show(made);
    });
  }

  #revoke(key: ApiKey): void {
    this.#act(async () => {
      const sure = key.status === "expired" || (await confirmBox({ title: `Revoke “${key.name}”?`, words: "Programs that use it are refused at once.", yes: "Revoke", danger: true }));
      if (!sure) return;
      await api.revokeKey(key.id);
      this.#say(`“${key.name}” works no more.`);
    });
  }

  #makeAccount = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#act(async () => {
      const account = await withStepUp(() => api.makeServiceAccount({ name: this.accountName.trim(), role: this.accountRole }));
      if (!account) return;
      this.accountName = "";
      this.holder = account.id;
      this.#say(`${account.name} is there. Make a key for it above.`);
    });
  };

  #removeAccount(account: ServiceAccount): void {
    this.#act(async () => {
      const sure = await confirmBox({ title: `Remove ${account.name}?`, words: account.keys.length === 0 ? "It has no keys." : "Its keys are refused at once, and nobody can bring them back.", yes: "Remove", danger: true });
      if (!sure) return;
      const gone = await withStepUp(async () => {
        await api.removeServiceAccount(account.id);
        return true;
      });
      if (!gone) return;
      if (this.holder === account.id) this.holder = "";
      this.#say(`${account.name} is removed.`);
    });
  }
}

function scopeWords(scope: Scope): string {
  return SCOPES.find((each) => each.scope === scope)?.words.toLowerCase() ?? scope;
}

function used(key: ApiKey): string {
  return key.last_used_at === undefined ? "never used" : `last used ${new Date(key.last_used_at).toLocaleString()}${key.last_used_from ? ` from ${key.last_used_from}` : ""}`;
}

function until(key: ApiKey): string {
  return `${key.status === "expired" ? "ended" : "works until"} ${new Date(key.expires_at).toLocaleDateString()}`;
}

customElements.define("hf-keys", KeysPage);
