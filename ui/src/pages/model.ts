/** Connecting a model: the address, the key and the name, with a test that makes a real call from the keeper. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { instance, loadInstance } from "../app/account";
import { announce } from "../app/announcer";
import { request } from "../app/link";
import { loadModel, model } from "../app/model";
import { go } from "../app/router";
import { ChannelError, type ModelKind } from "../channel/messages";
import { field, notice, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { kindChoice, kindNamed } from "../parts/model-kind";
import { working } from "../parts/working";
import "../parts/password-field";
import { FormPage } from "./page";

/** The scripted model takes any key. */
const DEMO_KEY = "demo";

type Tested = { ok: true; words: string } | { ok: false; words: string };

export class ModelPage extends FormPage {
  @state() private kind: ModelKind = "openai";
  @state() private base = "";
  @state() private name = "";
  @state() private key = "";
  @state() private tested: Tested | undefined;
  @state() private testing = false;
  #filled = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void loadInstance();
  }

  protected override willUpdate(): void {
    const known = model.value;
    if (this.#filled || !known) return;
    const from = known.configured ? known : instance.value?.demo_model;
    if (!from) return;
    this.#filled = true;
    this.kind = from.kind ?? "openai";
    this.base = from.base_url ?? "";
    this.name = from.model ?? "";
    if (!known.configured) this.key = DEMO_KEY;
  }

  protected override render(): TemplateResult {
    const configured = model.value?.configured ?? false;
    const chosen = kindNamed(this.kind);
    return html`<div class="page">
      <h1>${configured ? "Your model" : "Connect a model"}</h1>
      <p class="lead">Your agent thinks with a language model. The key goes into your vault through the encrypted connection; your agent and this server never see it.</p>
      <form @submit=${this.#save}>
        ${!configured && instance.value?.demo_model ? notice("info", "This installation was started with a scripted demo model. It is filled in below: it answers without thinking, so that you can look around.") : nothing}
        ${kindChoice(this.kind, (kind) => this.#changed(() => (this.kind = kind)))}
        ${field({ id: "base-url", label: "Base URL", type: "url", value: this.base, placeholder: chosen.base, onInput: (value) => this.#changed(() => (this.base = value)) })}
        <hf-password
          .field=${"api-key"}
          .label=${configured ? "API key (empty: keep the one in your vault)" : "API key (empty, if it needs none)"}
          .autocomplete=${"off"}
          .value=${this.key}
          @typed=${(event: CustomEvent<string>) => this.#changed(() => (this.key = event.detail))}
        ></hf-password>
        ${field({ id: "model-name", label: "Model", value: this.name, placeholder: chosen.model, onInput: (value) => this.#changed(() => (this.name = value)) })}
        <div class="test-row">
          <button class="button" type="button" ?disabled=${this.testing || this.base === "" || this.name === ""} @click=${() => void this.#test()}>
            ${this.testing ? working("Asking the model…") : html`${icon("plug-zap", "s")} Test`}
          </button>
        </div>
        ${this.tested ? notice(this.tested.ok ? "ok" : "error", this.tested.words) : nothing}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton(configured ? "Save" : "Save and meet your agent", this.busy, "Saving…", this.base === "" || this.name === "")}
      </form>
      ${configured ? nothing : html`<div class="links"><a href="/">Later</a></div>`}
    </div>`;
  }

  #changed(change: () => void): void {
    change();
    this.tested = undefined;
  }

  #params(): object {
    const base_url = this.base.trim();
    const known = model.peek();
    // A key belongs to the address that it was entered for; an empty one says that none is needed.
    const keeps = this.key === "" && known?.configured === true && known.base_url === base_url;
    return { kind: this.kind, base_url, model: this.name.trim(), ...(keeps ? {} : { key: this.key.trim() }) };
  }

  async #test(): Promise<void> {
    this.testing = true;
    this.tested = undefined;
    try {
      const { latency_ms, answer } = await request<{ latency_ms: number; answer: string }>("model.test", this.#params(), { answerMs: 90_000 });
      const seconds = (latency_ms / 1000).toLocaleString(undefined, { maximumFractionDigits: 1 });
      this.tested = { ok: true, words: `It works: the model answered in ${seconds} s${answer ? `: “${answer.trim().slice(0, 120)}”` : "."}` };
      announce("The model works");
    } catch (error) {
      this.tested = { ok: false, words: explain(error) };
    } finally {
      this.testing = false;
    }
  }

  #save = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const first = !model.peek()?.configured;
      await request("model.set", this.#params());
      this.key = "";
      await loadModel();
      announce("Saved");
      void request("cell.start").catch(() => undefined);
      if (first) go("/");
      else this.tested = { ok: true, words: "Saved. Your agent uses it from its next answer on." };
    });
  };
}

function explain(error: unknown): string {
  if (!(error instanceof ChannelError)) return String(error);
  switch (error.code) {
    case "provider_refused":
      return `The model’s server answered, but refused: ${error.message}`;
    case "provider_unreachable":
      return `The model’s server cannot be reached: ${error.message}`;
    case "no_answer":
      return "The model’s server did not answer in time.";
    default:
      return error.message;
  }
}

customElements.define("hf-model", ModelPage);
