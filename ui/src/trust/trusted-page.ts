/** Whom this person knows: comparing keys with them, and getting back in with their help. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { confirmBox } from "../parts/confirm-box";
import { notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import { FormPage } from "../pages/page";
import "./contacts-card";
import { digits } from "./digits";
import "./help-card";
import { lookAround } from "./recovery";
import { compared, type Contact, forget, type Known, loadKnown, otherKeysKnown, type OwnKeys, ownKeys, publishAsNew } from "./identities";

export class TrustedPage extends FormPage {
  @state() private known: readonly Known[] | undefined;
  @state() private loadProblem = "";
  @state() private open = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.known = await loadKnown();
      this.loadProblem = "";
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    const own = ownKeys.value;
    return html`<div class="page">
      <h1>Trusted people</h1>
      <p class="lead">What you send to a person’s vault is sealed for their keys alone. Compare digits once, by phone or face to face, and nobody can slip other keys in between.</p>
      ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      ${own && otherKeysKnown.value ? this.#otherKeys(own) : nothing}
      <hf-help-card></hf-help-card>
      ${this.known ? html`<hf-contacts-card .known=${this.known}></hf-contacts-card>` : nothing}
      <section class="card" aria-labelledby="own-digits">
        <h2 id="own-digits">Your digits</h2>
        <p class="muted">Read these to the other person. They are no secret.</p>
        ${own ? digits(own.fingerprint, "Your digits") : html`<div class="skeleton-list" aria-hidden="true"><i></i></div>`}
      </section>
      <section class="card" aria-labelledby="their-digits">
        <h2 id="their-digits">Theirs</h2>
        ${this.known ? this.#people(this.known) : this.loadProblem ? nothing : html`<div class="skeleton-list" aria-hidden="true"><i></i><i></i><i></i></div>`}
      </section>
    </div>`;
  }

  /** Their vault is a new one, or came from another installation. */
  #otherKeys(own: OwnKeys): TemplateResult {
    return html`${notice("warn", "Others still see the keys of a vault that you had before. What they send is sealed for that one, and your contacts for recovery cannot be named. Show that it is you, and they see the keys of this vault.")}
      <div class="row end"><button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#useThese(own)}>Use the keys of this vault</button></div>`;
  }

  async #useThese(own: OwnKeys): Promise<void> {
    await this.work(async () => {
      if (!(await publishAsNew(own))) return;
      announce("Others see the keys of this vault now");
      // The contacts that were chosen in this vault can be named now.
      await lookAround();
    });
  }

  #people(known: readonly Known[]): TemplateResult {
    if (known.length === 0) return html`<p class="muted">Nobody else is here yet. <a href="/people">Invite someone</a>.</p>`;
    return html`<ul class="people">${known.map((each) => html`<li>${this.#person(each)}</li>`)}</ul>`;
  }

  #person({ person, keys }: Known): TemplateResult {
    const expanded = this.open === person.id;
    const words =
      keys.at === "none"
        ? "Has no vault yet"
        : keys.at === "refused"
          ? "Their keys are damaged"
          : keys.at === "changed"
            ? "Their keys have changed"
            : keys.contact.compared_at === null
              ? "Not compared yet"
              : `Compared on ${new Date(keys.contact.compared_at).toLocaleDateString()}`;
    const sign = keys.at === "changed" || keys.at === "refused" ? icon("triangle-alert", "s") : keys.at === "pinned" && keys.contact.compared_at !== null ? icon("shield-check", "s") : nothing;
    return html`<span class="people-name"><strong>${person.name}</strong><span class="muted">${sign} ${words}</span></span>
      ${keys.at === "none" || keys.at === "refused" ? nothing : html`<button class="button small" type="button" aria-expanded=${expanded ? "true" : "false"} aria-label="${expanded ? "Close" : "Compare with"} ${person.name}" @click=${() => (this.open = expanded ? "" : person.id)}>${expanded ? "Close" : keys.at === "changed" ? "Look" : "Compare"}</button>`}
      ${keys.at === "refused" ? html`<div class="row-below">${notice("warn", keys.message)}</div>` : nothing}
      ${expanded ? html`<div class="row-below inset">${this.#compare({ person, keys })}</div>` : nothing}`;
  }

  #compare({ person, keys }: Known): TemplateResult | typeof nothing {
    if (keys.at === "changed")
      return html`${notice("warn", keys.message)}
        <p>If ${person.name} says that they made a new vault, forget the old keys, then compare the new digits.</p>
        <div class="row end"><button class="button danger" type="button" ?disabled=${this.busy} @click=${() => void this.#forget(person.id, person.name)}>Forget the old keys</button></div>`;
    if (keys.at !== "pinned") return nothing;
    const contact = keys.contact;
    return html`<p>Ask ${person.name} to open “Trusted people” and to read “Your digits”. Are they these?</p>
      ${digits(contact.fingerprint, `Digits of ${person.name}`)}
      <div class="row end">
        <button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#differs(person.name)}>No, they differ</button>
        <button class="button primary" type="button" ?disabled=${this.busy} @click=${() => void this.#same(contact)}>Yes, the same</button>
      </div>`;
  }

  async #same(contact: Contact): Promise<void> {
    await this.work(async () => {
      await compared(contact);
      announce("Compared");
      this.open = "";
      await this.#load();
    });
  }

  async #differs(name: string): Promise<void> {
    await confirmBox({
      title: "Do not go on",
      words: `Somebody may have put other keys in place of ${name}’s. Nothing that you seal for ${name} is safe until the digits are the same. Tell the people who run this server, by another way than this page.`,
      yes: "OK",
      no: "Close",
    });
  }

  async #forget(user: string, name: string): Promise<void> {
    const sure = await confirmBox({ title: `Forget the keys of ${name}?`, words: "The new keys are taken in their place. Compare the new digits before you trust them.", yes: "Forget", danger: true });
    if (!sure) return;
    await this.work(async () => {
      await forget(user);
      await this.#load();
    });
  }
}

customElements.define("hf-trusted", TrustedPage);
