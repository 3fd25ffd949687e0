/** The operator shows the token of the data directory. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { FormPage } from "../pages/page";
import { brand, field, notice, submitButton } from "../parts/form";
import { operator, session } from "./api";

export class AdminSignIn extends FormPage {
  @state() private token = "";

  protected override render(): TemplateResult {
    return html`<main class="page-card">
      ${brand()}
      <h1>Operator</h1>
      <p class="lead">For who runs this server. You see people, organisations and cells, and nobody’s content: that is encrypted for its owners.</p>
      <form @submit=${this.#submit}>
        ${field({ id: "token", label: "Operator’s token", type: "password", value: this.token, onInput: (value) => (this.token = value), hint: html`It is in the file <code>admin-token</code> of the data directory: <code>sudo cat /var/lib/holdfast/admin-token</code>` })}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Sign in", this.busy)}
      </form>
      <div class="links"><a href="/">To your own agent</a></div>
    </main>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      session.value = await operator.signIn(this.token.trim());
      this.token = "";
    });
  };
}

customElements.define("hf-admin-sign-in", AdminSignIn);
