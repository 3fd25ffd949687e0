/** The second step of signing in: a code, or setting up the app that makes them where the organisation asks for it. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { api, type Pending, Problem } from "../api/http";
import { showPasskey } from "../api/passkey";
import { account, arrived, loadAccount } from "../app/account";
import "../parts/authenticator-setup";
import "../parts/passkey-list";
import type { PasskeysChanged } from "../parts/passkey-list";
import { brand, field, notice, submitButton } from "../parts/form";
import { FormPage } from "./page";

export class FinishSignInPage extends FormPage {
  @property({ attribute: false }) pending: Pending | undefined;
  @state() private code = "";
  /** Shown once, when a passkey was set up here. */
  @state() private codes: string[] = [];

  protected override render(): TemplateResult {
    return html`<main class="page-card">
      ${brand()} ${this.pending?.pending === "enrol" ? this.#setUp() : this.#ask()}
      <div class="links"><button class="link" type="button" @click=${this.#leave}>Sign in as somebody else</button></div>
    </main>`;
  }

  #setUp(): TemplateResult {
    return html`<h1>Set up a second factor</h1>
      <p class="lead">Your organisation asks everybody for one, beside the link in your mail: a passkey on this device, or a code from an app on your phone.</p>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.codes.length > 0 ? nothing : html`<hf-passkeys @changed=${(event: CustomEvent<PasskeysChanged>) => (this.codes = event.detail.codes)}></hf-passkeys>`}
      <hf-authenticator-setup .codes=${this.codes} @finished=${() => void loadAccount()}></hf-authenticator-setup>`;
  }

  #ask(): TemplateResult {
    const has = (factor: Pending["factors"][number]) => this.pending?.factors.includes(factor) ?? false;
    return html`<h1>Your second factor</h1>
      ${has("passkey") ? html`<button class="button primary wide" type="button" ?disabled=${this.busy} @click=${this.#passkey}>Use your passkey</button>` : nothing}
      <p class="lead">${has("authenticator") ? "Type the code that your authenticator app shows now. A backup code works too." : "Without your passkey, type one of your backup codes."}</p>
      <form @submit=${this.#submit}>
        ${field({ id: "code", label: "Code", value: this.code, autocomplete: "one-time-code", inputmode: "numeric", maxlength: 32, onInput: (value) => (this.code = value) })}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${has("passkey") ? html`<button class="button wide" ?disabled=${this.busy}>Sign in with the code</button>` : submitButton("Sign in", this.busy)}
      </form>
      <p class="muted">Lost all of them? An owner or admin of your organisation can reset your second factors (an owner’s only another owner); if you own it alone, whoever runs this server can.</p>`;
  }

  #passkey = (): void => {
    void this.work(async () => arrived(await api.signInWithPasskey(await showPasskey())));
  };

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      try {
        arrived(await api.showFactor(this.code.trim()));
      } catch (error) {
        // It took too long, or the session was ended meanwhile.
        if (error instanceof Problem && error.status === 401) account.value = { at: "out" };
        else throw error;
      }
    });
  };

  #leave = (): void => {
    void this.work(async () => {
      await api.signOut();
      account.value = { at: "out", why: "asked" };
    });
  };
}

customElements.define("hf-finish-sign-in", FinishSignInPage);
