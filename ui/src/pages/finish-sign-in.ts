/** The second step of signing in: a code, or setting up the app that makes them where the organisation asks for it. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { api, Problem } from "../api/http";
import { account, arrived, loadAccount } from "../app/account";
import "../parts/authenticator-setup";
import { brand, field, notice, submitButton } from "../parts/form";
import { FormPage } from "./page";

export class FinishSignInPage extends FormPage {
  @property({ attribute: false }) enrol = false;
  @state() private code = "";

  protected override render(): TemplateResult {
    return html`<main class="page-card">
      ${brand()} ${this.enrol ? this.#setUp() : this.#ask()}
      <div class="links"><button class="link" type="button" @click=${this.#leave}>Sign in as somebody else</button></div>
    </main>`;
  }

  #setUp(): TemplateResult {
    return html`<h1>Set up a second factor</h1>
      <p class="lead">Your organisation asks everybody for one: a code from your phone, beside the link in your mail.</p>
      <hf-authenticator-setup @finished=${() => void loadAccount()}></hf-authenticator-setup>`;
  }

  #ask(): TemplateResult {
    return html`<h1>Your second factor</h1>
      <p class="lead">Type the code that your authenticator app shows now. A backup code works too.</p>
      <form @submit=${this.#submit}>
        ${field({ id: "code", label: "Code", value: this.code, autocomplete: "one-time-code", inputmode: "numeric", maxlength: 32, onInput: (value) => (this.code = value) })}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Sign in", this.busy)}
      </form>`;
  }

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
      account.value = { at: "out" };
    });
  };
}

customElements.define("hf-finish-sign-in", FinishSignInPage);
