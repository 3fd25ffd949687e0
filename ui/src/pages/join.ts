/** Joining, by an invitation or by a link for those whose address may join: what the operator can and cannot see, and a name. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, isDeadLink, type Problem } from "../api/http";
import { arrived } from "../app/account";
import { announce } from "../app/announcer";
import { go, takeFragment } from "../app/router";
import { brand, field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { working } from "../parts/working";
import { FormPage } from "./page";

/** Before the token of a link that nobody had to send an invitation for. */
const NEW = "new:";

type Preview = { organisation: string; email: string; invited_by?: string; approval?: boolean };

export class JoinPage extends FormPage {
  private readonly fragment = takeFragment();
  private readonly uninvited = this.fragment.startsWith(NEW);
  private readonly token = this.uninvited ? this.fragment.slice(NEW.length) : this.fragment;
  @state() private preview: Preview | undefined;
  @state() private dead = this.token === "";
  @state() private name = "";
  @state() private waiting = false;
  @state() private otherBrowser = false;

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.dead) void this.#load();
  }

  async #load(): Promise<void> {
    this.problem = "";
    try {
      this.preview = await (this.uninvited ? api.previewJoining(this.token) : api.previewInvitation(this.token));
    } catch (error) {
      if (isDeadLink(error)) this.#end(error);
      else this.problem = sentence(error);
    }
  }

  #end(error: Problem): void {
    this.dead = true;
    this.otherBrowser = error.code === "other_browser";
  }

  protected override render(): TemplateResult {
    return html`<main class="page-card">${brand()}${this.waiting ? this.#waits() : this.dead ? this.#used() : this.preview ? this.#form(this.preview) : this.#loading()}</main>`;
  }

  #waits(): TemplateResult {
    return html`<div class="page-icon">${icon("clock", "l")}</div>
      <h1>Somebody has to agree</h1>
      <p class="lead">Those who manage ${this.preview?.organisation} were told. You get a mail as soon as they have decided; until then there is nothing to do.</p>`;
  }

  #used(): TemplateResult {
    if (this.uninvited)
      return html`<h1>This link does not work ${this.otherBrowser ? "here" : "any more"}</h1>
        <p class="lead">${this.otherBrowser ? "It was asked for in another browser and works only there." : "It was used already, or is older than 10 minutes."} Enter your address once more and get a new one.</p>
        <p><a class="button wide" href="/sign-in">Get a new link</a></p>`;
    return html`<h1>This invitation does not work any more</h1>
      <p class="lead">It was used already, was withdrawn, or is older than 7 days. Ask the person who invited you for a new one.</p>
      <p><a href="/sign-in">I have joined before: sign in</a></p>`;
  }

  #loading(): TemplateResult {
    return html`<h1>Your invitation</h1>
      ${this.problem
        ? html`${notice("error", this.problem)}<button class="button wide" type="button" @click=${() => void this.#load()}>Try again</button>`
        : html`<p class="lead" role="status">${working("Reading your invitation…")}</p>`}`;
  }

  #form(preview: Preview): TemplateResult {
    return html`<h1>${preview.invited_by === undefined ? `Join ${preview.organisation}` : `${preview.invited_by} invites you to ${preview.organisation}`}</h1>
      <p class="lead">You get an agent of your own, in a vault that only you can open.</p>
      <ul class="facts">
        <li>${icon("check", "s")}<span>The people who run this server see that you are here and when you use it.</span></li>
        <li>${icon("lock", "s")}<span>They cannot read your conversations, passwords or keys, and cannot reset your vault password.</span></li>
      </ul>
      <form @submit=${this.#submit}>
        ${field({ id: "name", label: "Your name", value: this.name, autocomplete: "name", maxlength: 200, hint: `You join as ${preview.email}.`, onInput: (value) => (this.name = value) })}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${preview.approval ? html`<p class="hint">Somebody who manages ${preview.organisation} has to agree before you are in.</p>` : nothing}
        ${submitButton(preview.approval ? "Ask to join" : "Join", this.busy)}
      </form>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      try {
        const body = { token: this.token, name: this.name.trim() };
        const answer = await (this.uninvited ? api.acceptJoining(body) : api.acceptInvitation(body));
        if ("waiting" in answer) {
          this.waiting = true;
          announce("Somebody has to agree");
          return;
        }
        arrived(answer);
        go("/", { replace: true });
      } catch (error) {
        if (isDeadLink(error)) this.#end(error);
        else throw error;
      }
    });
  };
}

customElements.define("hf-join", JoinPage);
