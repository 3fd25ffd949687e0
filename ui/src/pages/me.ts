/** One's own settings: model, security, appearance, and the two ways to leave. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { me } from "../app/account";
import { announce } from "../app/announcer";
import { lockAndSay } from "../app/leave";
import { type Appearance, appearance, setAppearance } from "../app/appearance";
import { phraseConfirmed, setSlot, signOut } from "../app/link";
import { model } from "../app/model";
import { flushDrafts } from "../chat/drafts";
import { notice, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import type { IconName } from "../parts/icon-names";
import "../parts/new-password";
import { FormPage } from "./page";

const LOOKS: { look: Appearance; name: string; icon: IconName }[] = [
  { look: "system", name: "As the system", icon: "monitor" },
  { look: "light", name: "Light", icon: "sun" },
  { look: "dark", name: "Dark", icon: "moon" },
];

export class MePage extends FormPage {
  @state() private changing = false;
  @state() private password = "";
  @state() private done = "";

  protected override render(): TemplateResult {
    const who = me();
    return html`<div class="page">
      <h1>Me</h1>
      <p class="lead">${who?.user.name}, ${who?.user.email}, ${who?.tenant.name}</p>
      ${this.problem ? notice("error", this.problem) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      <section class="card" aria-labelledby="model-title">
        <h2 id="model-title">Model</h2>
        <div class="setting">
          <p>${model.value?.configured ? html`<strong>${model.value.model}</strong><br><span class="muted">${model.value.base_url}</span>` : "No model is connected yet."}</p>
          <a class="button" href="/model">${model.value?.configured ? "Change" : "Connect"}</a>
        </div>
      </section>
      <section class="card" aria-labelledby="security-title">
        <h2 id="security-title">Security</h2>
        <div class="setting">
          <p><strong>Vault password</strong><br><span class="muted">Opens your vault. Only you know it.</span></p>
          <button class="button" type="button" aria-expanded=${this.changing ? "true" : "false"} @click=${() => (this.changing = !this.changing)}>Change</button>
        </div>
        ${this.changing
          ? html`<form class="inset" @submit=${this.#changePassword}>
              <hf-new-password .focusFirst=${true} @chosen=${(event: CustomEvent<string>) => (this.password = event.detail)}></hf-new-password>
              ${submitButton("Change password", this.busy, "Changing…", this.password === "")}
            </form>`
          : nothing}
        <div class="setting">
          <p>
            <strong>Recovery phrase</strong>${phraseConfirmed.value === false ? html` <span class="dot" role="img" aria-label="not done yet"></span>` : nothing}<br>
            <span class="muted">${phraseConfirmed.value ? "Written down and confirmed." : "Not confirmed yet: without it, a forgotten password loses everything."}</span>
          </p>
          <a class="button" href="/vault">${phraseConfirmed.value ? "Make a new one" : "Do it now"}</a>
        </div>
      </section>
      <section class="card" aria-labelledby="look-title">
        <h2 id="look-title">Appearance</h2>
        <div class="segments" role="radiogroup" aria-labelledby="look-title">
          ${LOOKS.map(
            ({ look, name, icon: sign }) => html`<label class="segment"><input type="radio" name="look" .checked=${appearance.value === look} @change=${() => setAppearance(look)}><span>${icon(sign, "s")} ${name}</span></label>`,
          )}
        </div>
      </section>
      <section class="card" aria-labelledby="leave-title">
        <h2 id="leave-title">Leave</h2>
        <div class="setting">
          <p><strong>Lock</strong><br><span class="muted">Closes your vault everywhere and puts your agent to sleep. You stay signed in; your password opens it again.</span></p>
          <button class="button" type="button" ?disabled=${this.busy} @click=${() => void lockAndSay()}>${icon("lock", "s")} Lock now</button>
        </div>
        <div class="setting">
          <p><strong>Sign out</strong><br><span class="muted">This browser forgets you. Your agent may go on; the vault locks by itself when it is not used.</span></p>
          <button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.work(async () => { await flushDrafts(); await signOut(); })}>${icon("log-out", "s")} Sign out</button>
        </div>
      </section>
    </div>`;
  }

  #changePassword = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      this.done = "";
      await setSlot("password", this.password);
      this.password = "";
      this.changing = false;
      this.done = "Your password is changed. The old one does not open your vault any more.";
      announce(this.done);
    });
  };
}

customElements.define("hf-me", MePage);
