/** Adding a secret, or changing one. The value is typed here and kept nowhere else. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import type { AgentMay, Secret, SecretKind } from "../channel/messages";
import { FormPage } from "../pages/page";
import { field, notice, submitButton } from "../parts/form";
import "../parts/password-field";
import { AGENT_MAY, KINDS, saveSecret } from "./secrets";

const VALUE_LABEL: Record<SecretKind, string> = { api_key: "Key", oauth_token: "Token", login: "Password", text: "Text" };

export class SecretForm extends FormPage {
  @property({ attribute: false }) secret: Secret | undefined;
  @state() private kind: SecretKind = "api_key";
  @state() private name = "";
  @state() private username = "";
  @state() private url = "";
  @state() private value = "";
  @state() private agent: AgentMay = "use";

  override connectedCallback(): void {
    super.connectedCallback();
    const known = this.secret;
    if (!known) return;
    this.kind = known.kind;
    this.name = known.name;
    this.username = known.username;
    this.url = known.url;
    this.agent = known.agent;
  }

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("select, input")?.focus();
  }

  protected override render(): TemplateResult {
    const label = this.secret ? `New ${VALUE_LABEL[this.kind].toLowerCase()} (empty: keep the one in your vault)` : VALUE_LABEL[this.kind];
    return html`<form @submit=${this.#save}>
      <div class="field">
        <label for="secret-kind">What is it?</label>
        <select id="secret-kind" @change=${(event: Event) => (this.kind = (event.target as HTMLSelectElement).value as SecretKind)}>
          ${Object.entries(KINDS).map(([kind, words]) => html`<option value=${kind} ?selected=${kind === this.kind}>${words}</option>`)}
        </select>
      </div>
      ${field({ id: "secret-name", label: "Name", value: this.name, maxlength: 200, placeholder: "GitHub, work", onInput: (value) => (this.name = value) })}
      ${this.kind === "login" ? field({ id: "secret-username", label: "User name", value: this.username, required: false, onInput: (value) => (this.username = value) }) : nothing}
      ${this.kind === "text"
        ? html`<div class="field"><label for="secret-value">${label}</label><textarea id="secret-value" rows="4" autocomplete="off" spellcheck="false" .value=${this.value} @input=${(event: InputEvent) => (this.value = (event.target as HTMLTextAreaElement).value)}></textarea></div>`
        : html`<hf-password .field=${"secret-value"} .label=${label} .autocomplete=${"off"} .optional=${this.secret !== undefined} .value=${this.value} @typed=${(event: CustomEvent<string>) => (this.value = event.detail)}></hf-password>`}
      ${field({ id: "secret-url", label: "Where it belongs (optional)", value: this.url, required: false, placeholder: "https://github.com", onInput: (value) => (this.url = value) })}
      <fieldset class="choices">
        <legend>What may your agent do with it?</legend>
        ${Object.entries(AGENT_MAY).map(
          ([agent, { name, words }]) => html`<label class="choice">
            <input type="radio" name="agent" .checked=${agent === this.agent} @change=${() => (this.agent = agent as AgentMay)}>
            <span><strong>${name}</strong><span class="hint">${words}</span></span>
          </label>`,
        )}
      </fieldset>
      ${this.agent === "see"
        ? notice("warn", "What your agent has read, you cannot take back: it may stand in its files and conversations, go to your model’s provider, or be sent away by words that somebody hid in a page or a mail that it reads. “May use” is safer wherever it is enough. Each time it reads the value is in your activity; change the value at its service if you have doubts.")
        : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.#done()}>Cancel</button>
        ${submitButton(this.secret ? "Save" : "Add secret", this.busy, "Saving…", this.name.trim() === "" || (!this.secret && this.value === ""))}
      </div>
    </form>`;
  }

  #done(): void {
    this.value = "";
    this.dispatchEvent(new CustomEvent("done"));
  }

  #save = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const { kind, agent, value } = this;
      const username = kind === "login" ? this.username.trim() : "";
      await saveSecret({ ...(this.secret ? { id: this.secret.id } : {}), name: this.name.trim(), kind, agent, username, url: this.url.trim(), ...(value === "" ? {} : { value }) });
      announce("Saved");
      this.#done();
    });
  };
}

customElements.define("hf-secret-form", SecretForm);
