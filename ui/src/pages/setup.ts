/** First run: the holder of the one-time link makes the organisation and becomes its owner. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api } from "../api/http";
import { arrived } from "../app/account";
import { go, takeFragment } from "../app/router";
import { brand, field, notice, submitButton } from "../parts/form";
import { FormPage } from "./page";

export class SetupPage extends FormPage {
  @state() private token = takeFragment();
  @state() private organisation = "";
  @state() private name = "";
  @state() private email = "";

  protected override render(): TemplateResult {
    return html`<main class="page-card">
      ${brand()}
      <h1>Set up Holdfast</h1>
      ${this.token === "" ? this.#withoutToken() : this.#form()}
    </main>`;
  }

  #withoutToken(): TemplateResult {
    return html`<p>Setting up needs the one-time link that was printed when Holdfast was started. It is also in the file <code>setup-url</code> in its data folder.</p>
      <p><a href="/sign-in">Sign in instead</a></p>`;
  }

  #form(): TemplateResult {
    return html`<p class="lead">You will be the owner of this installation. Next, you make your own vault and meet your agent.</p>
      <form @submit=${this.#submit}>
        ${field({ id: "organisation", label: "Organisation", value: this.organisation, autocomplete: "organization", placeholder: "Example Ltd", maxlength: 200, onInput: (value) => (this.organisation = value) })}
        ${field({ id: "name", label: "Your name", value: this.name, autocomplete: "name", maxlength: 200, onInput: (value) => (this.name = value) })}
        ${field({ id: "email", label: "Your e-mail address", type: "email", value: this.email, autocomplete: "email", hint: "You sign in with links that are sent there.", onInput: (value) => (this.email = value) })}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Continue", this.busy)}
      </form>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      arrived(await api.setup({ token: this.token, organisation: this.organisation.trim(), name: this.name.trim(), email: this.email.trim() }));
      go("/", { replace: true });
    });
  };
}

customElements.define("hf-setup", SetupPage);
