/** A model provider: the first one, or one that is asked when those before it fail. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { request } from "../app/link";
import type { ModelKind, Provider } from "../channel/messages";
import { FormPage } from "../pages/page";
import { field, notice, sentence, submitButton } from "../parts/form";
import { kindChoice, kindNamed } from "../parts/model-kind";
import { working } from "../parts/working";
import "../parts/password-field";
import { change } from "./models";
import { amount, typed } from "./money";

export class ProviderForm extends FormPage {
  @property({ attribute: false }) provider: Provider | undefined;
  @property({ attribute: false }) kind: ModelKind = "openai";
  @state() private base = "";
  @state() private name = "";
  @state() private key = "";
  @state() private input = "";
  @state() private output = "";
  @state() private cached = "";
  @state() private tested: { ok: boolean; words: string } | undefined;
  @state() private testing = false;

  override connectedCallback(): void {
    super.connectedCallback();
    const known = this.provider;
    if (!known) return;
    this.kind = known.kind;
    this.base = known.base_url;
    this.name = known.model;
    this.input = typed(known.price?.input);
    this.output = typed(known.price?.output);
    this.cached = typed(known.price?.cached);
  }

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("input")?.focus();
  }

  #params(): object {
    const base_url = this.base.trim();
    const keeps = this.key === "" && this.provider?.base_url === base_url;
    return { ...(this.provider ? { id: this.provider.id } : {}), kind: this.kind, base_url, model: this.name.trim(), ...(keeps ? {} : { key: this.key.trim() }) };
  }

  protected override render(): TemplateResult {
    const [input, output, cached] = [amount(this.input), amount(this.output), amount(this.cached)];
    const wrong = "An amount in dollars, such as 1.25";
    const bad = input === undefined || output === undefined || cached === undefined || (input === null) !== (output === null);
    return html`<form @submit=${this.#save}>
      ${kindChoice(this.kind, (kind) => this.#changed(() => (this.kind = kind)))}
      ${field({ id: "provider-base", label: "Base URL", type: "url", value: this.base, placeholder: kindNamed(this.kind).base, onInput: (value) => this.#changed(() => (this.base = value)) })}
      <hf-password .field=${"provider-key"} .label=${this.provider ? "API key (empty: keep the one in your vault)" : "API key (empty, if it needs none)"} .autocomplete=${"off"} .optional=${true} .value=${this.key} @typed=${(event: CustomEvent<string>) => this.#changed(() => (this.key = event.detail))}></hf-password>
      ${field({ id: "provider-model", label: "Model", value: this.name, onInput: (value) => this.#changed(() => (this.name = value)) })}
      <fieldset class="prices">
        <legend>Price in US dollars for a million tokens</legend>
        <p class="hint">Your provider’s price list has these. A spending limit needs them; 0 for a model that costs nothing.</p>
        ${field({ id: "price-input", label: "What it reads", value: this.input, required: false, error: input === undefined ? wrong : undefined, onInput: (value) => (this.input = value) })}
        ${field({ id: "price-output", label: "What it writes", value: this.output, required: false, error: output === undefined ? wrong : undefined, onInput: (value) => (this.output = value) })}
        ${field({ id: "price-cached", label: "What it reads again (cached; optional)", value: this.cached, required: false, error: cached === undefined ? wrong : undefined, onInput: (value) => (this.cached = value) })}
      </fieldset>
      ${this.tested ? notice(this.tested.ok ? "ok" : "error", this.tested.words) : nothing} ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.#done()}>Cancel</button>
        <button class="button" type="button" ?disabled=${this.testing || this.base === "" || this.name === ""} @click=${() => void this.#test()}>${this.testing ? working("Asking the model…") : "Test"}</button>
        ${submitButton("Save", this.busy, "Saving…", bad || this.base === "" || this.name === "")}
      </div>
    </form>`;
  }

  #changed(work: () => void): void {
    work();
    this.tested = undefined;
  }

  async #test(): Promise<void> {
    this.testing = true;
    this.tested = undefined;
    try {
      const { latency_ms } = await request<{ latency_ms: number }>("model.test", this.#params(), { answerMs: 90_000 });
      this.tested = { ok: true, words: `It works: the model answered in ${(latency_ms / 1000).toLocaleString(undefined, { maximumFractionDigits: 1 })} s.` };
    } catch (error) {
      this.tested = { ok: false, words: sentence(error) };
    } finally {
      this.testing = false;
    }
  }

  #done(): void {
    this.key = "";
    this.dispatchEvent(new CustomEvent("done"));
  }

  #save = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const [input, output, cached] = [amount(this.input), amount(this.output), amount(this.cached)];
      const price = typeof input === "number" && typeof output === "number" ? { input, output, ...(typeof cached === "number" ? { cached } : {}) } : null;
      await change("provider.set", { ...this.#params(), price });
      announce("Saved");
      this.#done();
    });
  };
}

customElements.define("hf-provider-form", ProviderForm);
