/** Accepting an invitation: who invites, what the operator can and cannot see, and a name. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, Problem } from "../api/http";
import { arrived } from "../app/account";
import { go, takeFragment } from "../app/router";
import { brand, field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { FormPage } from "./page";

type Preview = { organisation: string; invited_by: string; email: string };

export class JoinPage extends FormPage {
  private readonly token = takeFragment();
  @state() private preview: Preview | undefined;
  @state() private dead = this.token === "";
  @state() private name = "";

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.dead) void this.#load();
  }

  async #load(): Promise<void> {
    this.problem = "";
    try {
      this.preview = await api.previewInvitation(this.token);
    } catch (error) {
      if (error instanceof Problem && error.status !== 0 && error.status < 500) this.dead = true;
      else this.problem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<main class="page-card">${brand()}${this.dead ? this.#used() : this.preview ? this.#form(this.preview) : this.#loading()}</main>`;
  }

  #used(): TemplateResult {
    return html`<h1>This invitation does not work any more</h1>
      <p class="lead">It was used already, was withdrawn, or is older than 7 days. Ask the person who invited you for a new one.</p>
      <p><a href="/sign-in">I have joined before: sign in</a></p>`;
  }

  #loading(): TemplateResult {
    return html`<h1>Your invitation</h1>
      ${this.problem
        ? html`${notice("error", this.problem)}<button class="button wide" type="button" @click=${() => void this.#load()}>Try again</button>`
        : html`<p class="lead" role="status">${icon("loader-circle", "s")} Reading your invitation…</p>`}`;
  }

  #form(preview: Preview): TemplateResult {
    return html`<h1>${preview.invited_by} invites you to ${preview.organisation}</h1>
      <p class="lead">You get an agent of your own, in a vault that only you can open.</p>
      <ul class="facts">
        <li>${icon("check", "s")}<span>The people who run this server see that you are here and when you use it.</span></li>
        <li>${icon("lock", "s")}<span>They cannot read your conversations, passwords or keys, and cannot reset your vault password.</span></li>
      </ul>
      <form @submit=${this.#submit}>
        ${field({ id: "name", label: "Your name", value: this.name, autocomplete: "name", maxlength: 200, hint: `You join as ${preview.email}.`, onInput: (value) => (this.name = value) })}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Join", this.busy)}
      </form>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      try {
        arrived(await api.acceptInvitation({ token: this.token, name: this.name.trim() }));
        go("/", { replace: true });
      } catch (error) {
        if (error instanceof Problem && error.code === "link_invalid") this.dead = true;
        else throw error;
      }
    });
  };
}

customElements.define("hf-join", JoinPage);
