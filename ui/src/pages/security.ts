/** How one signs in: second factor, backup codes, the devices that are signed in, and, for owners, what everybody needs. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type Factors, type Policy, type Session } from "../api/http";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { takeFragment } from "../app/router";
import "../parts/authenticator-setup";
import { confirmBox } from "../parts/confirm-box";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import "../parts/linked-accounts";
import "../parts/passkey-list";
import type { PasskeysChanged } from "../parts/passkey-list";
import { returnNotice } from "../parts/provider-words";
import { span } from "../parts/span";
import { withStepUp } from "../parts/step-up";
import { FormPage } from "./page";

/** In hours; the last is the longest that there is. */
const TIMES_ALONE = [1, 8, 24, 48, 72, 168];

export class SecurityPage extends FormPage {
  @state() private factors: Factors | undefined;
  @state() private sessions: readonly Session[] = [];
  /** After which a device is signed out by itself. */
  @state() private idleMs = 0;
  @state() private lifeMs = 0;
  @state() private policy: Policy | undefined;
  @state() private settingUp = false;
  @state() private codes: string[] = [];
  /** How linking an account ended, after the way to another site. */
  private readonly fragment = takeFragment();
  @state() private done = this.fragment === "linked" ? "The account is linked: it signs you in from now on." : "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      const [factors, sessions, policy] = await Promise.all([api.factors(), api.sessions(), api.policy()]);
      this.factors = factors;
      this.sessions = sessions.sessions;
      this.idleMs = sessions.idle_ms;
      this.lifeMs = sessions.life_ms;
      this.policy = policy;
      this.problem = "";
    } catch (error) {
      this.problem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    const { factors } = this;
    return html`<div class="page">
      <h1>Signing in</h1>
      <p class="lead">How you show who you are, and where you did. Your vault has a password of its own.</p>
      ${this.problem ? html`${notice("error", this.problem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${returnNotice(this.fragment)} ${this.done ? notice("ok", this.done) : nothing}
      ${factors ? html`${this.#factor(factors)}<hf-linked-accounts @changed=${(event: CustomEvent<string>) => this.#say(event.detail)}></hf-linked-accounts>${this.#devices()} ${this.#everybody()}` : this.problem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #factor(factors: Factors): TemplateResult {
    return html`<section class="card" aria-labelledby="factor-title">
      <h2 id="factor-title">Second factor</h2>
      <hf-passkeys .factors=${factors} @changed=${this.#passkeysChanged}></hf-passkeys>
      <div class="setting">
        <p>
          <strong>Authenticator app</strong><br>
          <span class="muted">${factors.authenticator ? "Set up. A code from it is asked for when you sign in." : factors.passkeys.length > 0 ? "Not set up. Your passkey is asked for." : factors.required ? "Your organisation asks for one." : "Not set up: who reads your mail can sign in as you. Your vault stays closed to them."}</span>
        </p>
        ${factors.authenticator
          ? html`<button class="button" type="button" ?disabled=${this.busy || (factors.required && factors.passkeys.length === 0)} @click=${this.#remove}>Remove</button>`
          : html`<button class="button" type="button" aria-expanded=${this.settingUp ? "true" : "false"} @click=${() => (this.settingUp = !this.settingUp)}>Set up</button>`}
      </div>
      ${this.settingUp || this.codes.length > 0 ? html`<div class="inset"><hf-authenticator-setup .codes=${this.codes} @finished=${this.#finished}></hf-authenticator-setup></div>` : nothing}
      ${(factors.authenticator || factors.passkeys.length > 0) && this.codes.length === 0
        ? html`<div class="setting">
            <p><strong>Backup codes</strong><br><span class="muted">${factors.backup_codes === 0 ? "None left: make new ones." : `${factors.backup_codes} left. Each works once.`}</span></p>
            <button class="button" type="button" ?disabled=${this.busy} @click=${this.#newCodes}>Make new ones</button>
          </div>`
        : nothing}
    </section>`;
  }

  #devices(): TemplateResult {
    return html`<section class="card" aria-labelledby="devices-title">
      <h2 id="devices-title">Where you are signed in</h2>
      <ul class="people">
        ${this.sessions.map(
          (each) => html`<li>
            <span class="avatar" aria-hidden="true">${icon("monitor", "s")}</span>
            <span class="people-name">
              <strong>${each.device || "Unknown device"}${each.current ? html` <span class="muted">(this one)</span>` : nothing}</strong>
              <span class="muted">${each.address ? `${each.address}, ` : ""}last used ${new Date(each.last_seen_at).toLocaleString()}</span>
            </span>
            ${each.current ? nothing : html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="Sign out ${each.device || "the unknown device"}" @click=${() => this.#end(each)}>Sign out</button>`}
          </li>`,
        )}
      </ul>
      ${this.sessions.length > 1 ? html`<button class="button wide" type="button" ?disabled=${this.busy} @click=${this.#endOthers}>Sign out everywhere else</button>` : nothing}
      <p class="hint">A device is signed out by itself after ${span(Math.round(this.idleMs / 60_000))} without use, and after ${span(Math.round(this.lifeMs / 60_000))}.</p>
    </section>`;
  }

  #everybody(): TemplateResult | typeof nothing {
    if (me()?.user.role !== "owner" || !this.policy) return nothing;
    const required = this.policy.second_factor === "required";
    const told = this.policy.requests_while_locked === "told";
    return html`<section class="card" aria-labelledby="everybody-title">
      <h2 id="everybody-title">Everybody at ${me()?.tenant.name}</h2>
      <div class="setting">
        <p><strong>Everyone needs a second factor</strong><br><span class="muted">${required ? "On. Who has none sets one up before anything else." : "Off. Everybody decides for themselves."}</span></p>
        <button class="button" type="button" ?disabled=${this.busy} aria-label="${required ? "Turn off" : "Turn on"}: everyone needs a second factor" @click=${() => this.#setSecondFactor(required ? "optional" : "required")}>${required ? "Turn off" : "Turn on"}</button>
      </div>
      <div class="setting">
        <p><strong>Tell people what waits for them</strong><br><span class="muted">${told ? "On. Whose vault is locked is told, on the devices that they chose and by one mail a day at most, when another agent sends them something. It says neither what nor from whom." : "Off. What other agents send waits until they unlock, and nobody is told."}</span></p>
        <button class="button" type="button" ?disabled=${this.busy} aria-label="${told ? "Turn off" : "Turn on"}: tell people what waits for them" @click=${() => this.#setRequests(told ? "wait" : "told")}>${told ? "Turn off" : "Turn on"}</button>
      </div>
      <div class="setting">
        <p><strong>A second person for what agents change</strong><br><span class="muted">${this.policy.second_person ? "On. What an agent wants to change at a service, or to share, is done when its person has allowed it and a colleague of their choice has agreed. Who has chosen nobody yet can allow nothing of it. It counts at once, also while somebody’s agent works; where it was on once, each person ends it for themselves." : "Off. What an agent wants to change is done when its person has allowed it."}</span></p>
        <button class="button" type="button" ?disabled=${this.busy} aria-label="${this.policy.second_person ? "Turn off" : "Turn on"}: a second person for what agents change" @click=${() => this.#setSecondPerson(!this.policy?.second_person)}>${this.policy.second_person ? "Turn off" : "Turn on"}</button>
      </div>
      <div class="setting">
        <p><strong>Agents that work alone</strong><br><span class="muted">Each person decides whether their vault stays open while they are away. This is how long it may be at most; until then its keys are in this server’s memory. It counts from the next time that somebody opens their page.</span></p>
        <div class="field">
          <label for="time-alone">At most</label>
          <select id="time-alone" ?disabled=${this.busy} @change=${(event: Event) => this.#setTimeAlone(event.target as HTMLSelectElement)}>
            ${[...new Set([...TIMES_ALONE, this.policy.time_alone_hours])].sort((a, b) => a - b).map((hours) => html`<option value=${hours} ?selected=${hours === this.policy?.time_alone_hours}>${span(hours * 60)}</option>`)}
          </select>
        </div>
      </div>
    </section>`;
  }

  #passkeysChanged = (event: CustomEvent<PasskeysChanged>): void => {
    this.codes = event.detail.codes;
    this.#say(event.detail.words);
    void this.#load();
  };

  #finished = (): void => {
    this.settingUp = false;
    this.codes = [];
    void this.#load();
  };

  #say(words: string): void {
    this.done = words;
    announce(words);
  }

  #act(action: () => Promise<void>): void {
    this.done = "";
    void this.work(async () => {
      await action();
      await this.#load();
    });
  }

  #remove = (): void => {
    this.#act(async () => {
      const sure = await confirmBox({ title: "Remove your authenticator app?", words: this.factors?.passkeys.length ? "Your passkeys are asked for from then on." : "After that, a link in your mail is enough to sign in as you. Your backup codes stop working.", yes: "Remove", danger: true });
      if (!sure) return;
      const gone = await withStepUp(async () => {
        await api.removeAuthenticator();
        return true;
      });
      if (gone) this.#say("Your authenticator app is removed.");
    });
  };

  #newCodes = (): void => {
    this.#act(async () => {
      const made = await withStepUp(() => api.newBackupCodes());
      if (made) this.codes = made.backup_codes;
    });
  };

  #end(session: Session): void {
    this.#act(async () => {
      await api.endSession(session.id);
      this.#say(`${session.device || "The device"} is signed out.`);
    });
  }

  #endOthers = (): void => {
    this.#act(async () => {
      const { ended } = await api.endOtherSessions();
      this.#say(ended === 1 ? "One other device is signed out." : `${ended} other devices are signed out.`);
    });
  };

  #setRequests(requests_while_locked: Policy["requests_while_locked"]): void {
    this.#act(async () => {
      const set = await withStepUp(() => api.setPolicy({ requests_while_locked }));
      if (set) this.#say(requests_while_locked === "told" ? "People are told when something waits for them." : "Nobody is told when something waits for them.");
    });
  }

  #setSecondPerson(second_person: boolean): void {
    this.#act(async () => {
      const set = await withStepUp(() => api.setPolicy({ second_person }));
      if (set) this.#say(second_person ? "What agents change needs a second person." : "What agents change needs no second person.");
    });
  }

  #setTimeAlone(select: HTMLSelectElement): void {
    const time_alone_hours = Number(select.value);
    this.#act(async () => {
      try {
        const set = await withStepUp(() => api.setPolicy({ time_alone_hours }));
        if (!set) return;
        this.policy = set;
        this.#say(`Agents may work alone for ${span(time_alone_hours * 60)} at most.`);
      } finally {
        // Also when it was not changed after all.
        select.value = String(this.policy?.time_alone_hours ?? 24);
      }
    });
  }

  #setSecondFactor(second_factor: Policy["second_factor"]): void {
    this.#act(async () => {
      const set = await withStepUp(() => api.setPolicy({ second_factor }));
      if (set) this.#say(second_factor === "required" ? "Everyone needs a second factor now." : "A second factor is everybody’s own choice now.");
    });
  }
}

customElements.define("hf-security", SecurityPage);
