/** Changing what something is called in a group, what it is for and what agents are told of it, while it is shared. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { field, notice } from "../parts/form";
import { working } from "../parts/working";
import { isTooLong } from "./group-words";
import { type GroupResource, rewordResource } from "./shared";

export class GroupWordsForm extends FormPage {
  @property({ attribute: false }) resource!: GroupResource;
  @state() private name = "";
  @state() private about = "";
  @state() private skill = "";

  override connectedCallback(): void {
    super.connectedCallback();
    ({ name: this.name, about: this.about, skill: this.skill } = this.resource);
  }

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("textarea")?.focus();
  }

  protected override render(): TemplateResult {
    const { id } = this.resource;
    const long = isTooLong(this.skill);
    const ready = this.name.trim() !== "" && this.about.trim() !== "" && !long;
    return html`<form class="inset" aria-label="Change the words of ${this.resource.name}" @submit=${this.#submit}>
      ${field({ id: `words-name-${id}`, label: "What do you call it here?", value: this.name, maxlength: 60, onInput: (value) => (this.name = value) })}
      ${field({ id: `words-about-${id}`, label: "What is it for?", value: this.about, maxlength: 200, onInput: (value) => (this.about = value) })}
      <div class="field">
        <label for="words-skill-${id}">What should their agents know? (optional)</label>
        <textarea id="words-skill-${id}" rows="6" aria-describedby="words-hint-${id}" aria-invalid=${long ? "true" : nothing} .value=${this.skill} @input=${(event: InputEvent) => (this.skill = (event.target as HTMLTextAreaElement).value)}></textarea>
        <p class="hint" id="words-hint-${id}">Each member reads the change and accepts it; until then their agent is told what they accepted before, and goes on using it.</p>
        ${long ? html`<p class="field-error">It is too long: 16 KiB at most.</p>` : nothing}
      </div>
      ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row">
        <button class="button primary small" type="submit" ?disabled=${this.busy || !ready || !online.value} aria-busy=${this.busy ? "true" : "false"}>${this.busy ? working("Changing…") : "Change"}</button>
        <button class="button small" type="button" @click=${() => this.#done()}>Cancel</button>
      </div>
    </form>`;
  }

  #done(): void {
    this.dispatchEvent(new CustomEvent("done"));
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      await rewordResource({ resource: this.resource.id, name: this.name.trim(), about: this.about.trim(), skill: this.skill.trim() });
      announce("Changed: the members are asked to accept it");
      this.#done();
    });
  };
}

customElements.define("hf-group-words-form", GroupWordsForm);
