/** Makes an organisation and invites its owner, or invites the owner of one in which nobody is yet. Tells its page what came of it. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { FormPage } from "../pages/page";
import { field, notice, submitButton } from "../parts/form";
import { type Named, operator } from "./api";
import { withToken } from "./fresh";
import { invitedWords } from "./owner-words";

export class OwnerForm extends FormPage {
  /** The organisation that there is; none is made then. */
  @property({ attribute: false }) tenant: Named | undefined;
  @property({ attribute: false }) email = "";
  @state() private name = "";

  protected override render(): TemplateResult {
    const { tenant } = this;
    return html`<form class="card" aria-labelledby="owner-form-title" @submit=${this.#submit}>
      <h2 id="owner-form-title">${tenant ? "Invite its owner" : "A new organisation"}</h2>
      <p>${tenant ? "A link that was sent before stops working." : "Its owner gets a mail with a link, invites the others, and decides what holds for them. You see who is in it, and nobody’s content."}</p>
      ${tenant ? nothing : field({ id: "tenant-name", label: "Name of the organisation", value: this.name, maxlength: 100, onInput: (value) => (this.name = value) })}
      ${field({ id: "owner-email", label: "E-mail address of its owner", type: "email", value: this.email, maxlength: 254, onInput: (value) => (this.email = value) })}
      ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" ?disabled=${this.busy} @click=${() => this.#done("", false)}>Cancel</button>
        ${submitButton(tenant ? "Send the invitation" : "Make it and invite the owner", this.busy, "Sending…")}
      </div>
    </form>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const { tenant } = this;
    const [name, email] = [this.name.trim(), this.email.trim()];
    void this.work(async () => {
      const made = await withToken(async () => (tenant ? { name: tenant.name, owner: await operator.inviteOwner(tenant.id, email) } : operator.makeTenant(name, email)));
      if (made) this.#done(...invitedWords(made.name, made.owner));
    });
  };

  #done(words: string, bad: boolean): void {
    this.dispatchEvent(new CustomEvent<OwnerDone>("done", { detail: { words, bad } }));
  }
}

/** What came of it: nothing where it was called off. */
export interface OwnerDone {
  words: string;
  bad: boolean;
}

customElements.define("hf-admin-owner-form", OwnerForm);
