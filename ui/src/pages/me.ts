/** One's own settings: who one is here, model, security, appearance, and the two ways to leave. */
import { html, nothing, type TemplateResult } from "lit";
import { api, type Me } from "../api/http";
import { arrived, me } from "../app/account";
import { announce } from "../app/announcer";
import { lockAndSay, signOutAndSay } from "../app/leave";
import { type Appearance, appearance, readsWhole, setAppearance, setReadsWhole } from "../app/appearance";
import { grantedUntil, phraseConfirmed, slots } from "../app/link";
import { model } from "../app/model";
import { askText } from "../parts/confirm-box";
import { notice } from "../parts/form";
import { icon } from "../parts/icon";
import type { IconName } from "../parts/icon-names";
import { ROLES } from "../parts/role-words";
import { FormPage } from "./page";

const LOOKS: { look: Appearance; name: string; icon: IconName }[] = [
  { look: "system", name: "As the system", icon: "monitor" },
  { look: "light", name: "Light", icon: "sun" },
  { look: "dark", name: "Dark", icon: "moon" },
];

export class MePage extends FormPage {
  override connectedCallback(): void {
    super.connectedCallback();
    void import("../push/tell-here");
  }

  protected override render(): TemplateResult {
    const who = me();
    return html`<div class="page">
      <h1>Me</h1>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${who ? this.#profile(who) : nothing}
      <section class="card" aria-labelledby="model-title">
        <h2 id="model-title">Model</h2>
        <div class="setting">
          <p>${model.value?.configured ? html`<strong>${model.value.model}</strong><br><span class="muted">${model.value.base_url}</span>` : "No model is connected yet."}</p>
          <a class="button" href="/model">${model.value?.configured ? "Change" : "Connect"}</a>
        </div>
        <div class="setting">
          <p><strong>Order and spending</strong><br><span class="muted">Models to fall back on, what they cost, and limits.</span></p>
          <a class="button" href="/models">Open</a>
        </div>
      </section>
      <section class="card" aria-labelledby="security-title">
        <h2 id="security-title">Security</h2>
        <div class="setting">
          <p>
            <strong>Ways into your vault</strong>${phraseConfirmed.value === false ? html` <span class="dot" role="img" aria-label="recovery phrase not confirmed"></span>` : nothing}<br>
            <span class="muted">${slots.value.map((slot) => slot.name).join(", ")}</span>
          </p>
          <a class="button" href="/ways-in">Change</a>
        </div>
        <div class="setting">
          <p>
            <strong>Locking and key</strong><br>
            <span class="muted">${grantedUntil.value === undefined ? "When your vault locks by itself, and the key that all is sealed with." : `Your agent may work without you until ${new Date(grantedUntil.value).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}.`}</span>
          </p>
          <a class="button" href="/locking">Open</a>
        </div>
        <div class="setting">
          <p><strong>Backup</strong><br><span class="muted">One encrypted file of everything; restore one.</span></p>
          <a class="button" href="/backup">Open</a>
        </div>
        <div class="setting">
          <p><strong>Trusted people</strong><br><span class="muted">Compare keys with the people you work with.</span></p>
          <a class="button" href="/trusted">Open</a>
        </div>
      </section>
      <section class="card" aria-labelledby="signing-in-title">
        <h2 id="signing-in-title">Signing in</h2>
        <div class="setting">
          <p><strong>Second factor and devices</strong><br><span class="muted">An authenticator app, backup codes, and where you are signed in.</span></p>
          <a class="button" href="/security">Open</a>
        </div>
        ${manages()
          ? html`<div class="setting">
              <p><strong>Sign-in of everybody</strong><br><span class="muted">Other sites to sign in with, and who may join without an invitation.</span></p>
              <a class="button" href="/providers">Open</a>
            </div>`
          : nothing}
        <div class="setting">
          <p><strong>API keys</strong><br><span class="muted">For programs that act as you. No key opens your vault.</span></p>
          <a class="button" href="/keys">Open</a>
        </div>
        <div class="setting">
          <p><strong>Audit</strong><br><span class="muted">What was done with your account, when and from where.</span></p>
          <a class="button" href="/audit">Open</a>
        </div>
      </section>
      <hf-tell-here></hf-tell-here>
      <section class="card" aria-labelledby="look-title">
        <h2 id="look-title">Appearance</h2>
        <div class="segments" role="radiogroup" aria-labelledby="look-title">
          ${LOOKS.map(
            ({ look, name, icon: sign }) => html`<label class="segment"><input type="radio" name="look" .checked=${appearance.value === look} @change=${() => setAppearance(look)}><span>${icon(sign, "s")} ${name}</span></label>`,
          )}
        </div>
        <label class="check"><input type="checkbox" .checked=${readsWhole.value} @change=${(event: Event) => setReadsWhole((event.target as HTMLInputElement).checked)}> <span>Read me whole answers<span class="hint">For screen readers: a finished answer is read to its end, and not its first sentence alone.</span></span></label>
      </section>
      <section class="card" aria-labelledby="leave-title">
        <h2 id="leave-title">Leave</h2>
        <div class="setting">
          <p><strong>Lock</strong><br><span class="muted">Closes your vault everywhere and puts your agent to sleep. You are not signed out by it: come back soon and your password alone opens it again; later you sign in first.</span></p>
          <button class="button" type="button" ?disabled=${this.busy} @click=${() => void lockAndSay()}>${icon("lock", "s")} Lock now</button>
        </div>
        <div class="setting">
          <p><strong>Sign out</strong><br><span class="muted">This browser forgets you. Your agent may go on; the vault locks by itself when it is not used.</span></p>
          <button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.work(signOutAndSay)}>${icon("log-out", "s")} Sign out</button>
        </div>
      </section>
    </div>`;
  }

  #profile({ user, tenant }: Me): TemplateResult {
    return html`<section class="card" aria-labelledby="profile-title">
      <h2 id="profile-title">Profile</h2>
      <div class="setting">
        <p><strong>${user.name}</strong><br><span class="muted">How others in ${tenant.name} see you.</span></p>
        <button class="button" type="button" ?disabled=${this.busy} @click=${() => this.#rename(user.name)}>Change name</button>
      </div>
      <div class="setting">
        <p><strong>${user.email}</strong><br><span class="muted">Where sign-in links are sent.</span></p>
      </div>
      <div class="setting">
        <p><strong>${ROLES[user.role]}</strong><br><span class="muted">Your role in ${tenant.name}. Those who manage it can give you another one.</span></p>
      </div>
    </section>`;
  }

  #rename(before: string): void {
    void this.work(async () => {
      const name = await askText("Change your name", "Name", before, 100);
      if (name === undefined || name === before) return;
      arrived(await api.rename(name));
      announce("You have a new name.");
    });
  }
}

function manages(): boolean {
  const role = me()?.user.role;
  return role === "owner" || role === "admin";
}

customElements.define("hf-me", MePage);
