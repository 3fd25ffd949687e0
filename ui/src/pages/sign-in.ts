/** Signing in: by a link in a mail (ask for it, or arrive with it), with a passkey, or with another site. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, isDeadLink, Problem, type ProviderButton, type ShownPasskey } from "../api/http";
import { offeredInFields, passkeysHere, showPasskey } from "../api/passkey";
import { account, instance, loadInstance, arrived } from "../app/account";
import { announce } from "../app/announcer";
import { go, takeFragment } from "../app/router";
import { keepWayBack, takeWayBack } from "../app/way-back";
import { brand, field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import { isReturn, leaveFor, returnNotice } from "../parts/provider-words";
import { working } from "../parts/working";
import { FormPage } from "./page";

const OVER = "You were away for a while, or were signed out from another device. Sign in again; your conversation is where you left it.";

/** Whether somebody was in here, in this page, until their session ended. */
function isOver(): boolean {
  const now = account.value;
  return now.at === "out" && now.why === "over";
}

/** Sooner than the server forgets what it asked for. */
const RENEW_MS = 8 * 60_000;

export class SignInPage extends FormPage {
  @state() private email = "";
  @state() private sentTo = "";
  /** Whose buttons are shown; empty for those of the organisation that this installation was set up for. */
  private readonly organisation = new URLSearchParams(location.search).get("organisation") ?? "";
  private readonly fragment = takeFragment();
  @state() private token = isReturn(this.fragment) ? "" : this.fragment;
  @state() private providers: readonly ProviderButton[] = [];
  @state() private linkDead = false;
  @state() private otherBrowser = false;
  /** Ends the offer of passkeys in the field. */
  #offer: AbortController | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.token !== "") void this.#complete();
    if (isOver()) announce(OVER);
    void loadInstance().then(() => this.#offerPasskeys());
    // Without the buttons there is still the mail.
    void api.signInProviders(this.organisation).then(
      ({ providers }) => (this.providers = providers),
      () => undefined,
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#offer?.abort();
  }

  /** The browser shows passkeys where the address is typed; whoever chooses one is in. */
  async #offerPasskeys(): Promise<void> {
    if (this.token !== "" || !passkeysHere(instance.value?.passkey_site) || !(await offeredInFields())) return;
    while (this.isConnected) {
      this.#offer = new AbortController();
      const { signal } = this.#offer;
      const over = setTimeout(() => this.#offer?.abort("renew"), RENEW_MS);
      try {
        await this.#arrive(await showPasskey({ inField: true, signal }));
        return;
      } catch (error) {
        // What was asked for is too old soon: ask again. Anything else ends the offer; the button is still there.
        if (signal.reason !== "renew") {
          if (!signal.aborted && !(error instanceof Problem && error.code === "passkey_cancelled")) this.problem = sentence(error);
          return;
        }
      } finally {
        clearTimeout(over);
      }
    }
  }

  async #arrive(shown: ShownPasskey): Promise<void> {
    arrived(await api.signInWithPasskey(shown));
    go(takeWayBack(), { replace: true });
  }

  #passkey = (): void => {
    this.#offer?.abort();
    void this.work(async () => this.#arrive(await showPasskey()));
  };

  #with(provider: ProviderButton): void {
    this.#offer?.abort();
    void this.work(async () => {
      const { url } = await api.beginWithProvider(provider.id);
      keepWayBack();
      leaveFor(url);
    });
  }

  async #complete(): Promise<void> {
    await this.work(async () => {
      try {
        arrived(await api.completeSignIn(this.token));
        go(takeWayBack(), { replace: true });
      } catch (error) {
        if (!isDeadLink(error)) throw error;
        this.linkDead = true;
        this.otherBrowser = error.code === "other_browser";
        this.token = "";
      }
    });
  }

  protected override render(): TemplateResult {
    return html`<main class="page-card">${brand()}${this.token !== "" ? this.#arriving() : this.sentTo !== "" ? this.#sent() : this.#ask()}</main>`;
  }

  readonly #otherWay = (): void => {
    this.token = "";
    this.problem = "";
  };

  #arriving(): TemplateResult {
    return html`<h1>Signing you in</h1>
      ${this.problem
        ? html`${notice("error", this.problem)}<button class="button wide" type="button" @click=${() => void this.#complete()}>Try again</button>
            <div class="links"><button class="link" type="button" @click=${this.#otherWay}>Sign in another way</button></div>`
        : html`<p class="lead" role="status">${working("Checking your link…")}</p>`}`;
  }

  #ask(): TemplateResult {
    const outbox = instance.value?.mail === "outbox";
    return html`<h1>Sign in</h1>
      ${returnNotice(this.fragment)} ${isOver() ? notice("info", OVER) : nothing}
      ${this.linkDead ? notice("warn", this.otherBrowser ? "That link was asked for in another browser and works only there. Ask for a new one here." : "That link has been used, or is older than 10 minutes. Ask for a new one.") : html`<p class="lead">We send you a link. No password is needed to sign in; your vault has one of its own.</p>`}
      <form @submit=${this.#submit}>
        ${field({ id: "email", label: "E-mail address", type: "email", value: this.email, autocomplete: "username webauthn", onInput: (value) => (this.email = value) })}
        ${this.problem ? notice("error", this.problem) : nothing}
        ${submitButton("Send me a link", this.busy)}
      </form>
      ${passkeysHere(instance.value?.passkey_site) ? html`<button class="button wide" type="button" ?disabled=${this.busy} @click=${this.#passkey}>${icon("key-round", "s")} Sign in with a passkey</button>` : nothing}
      ${this.providers.map((each) => html`<button class="button wide" type="button" ?disabled=${this.busy} @click=${() => this.#with(each)}>${icon("globe", "s")} Sign in with ${each.name}</button>`)}
      ${instance.value?.needs_setup ? html`<p class="hint">Nobody owns this installation yet: open the setup link that was printed when it was started.</p>` : nothing}
      ${outbox ? html`<p class="hint">This installation sends no mail yet: whoever runs it finds your link in its outbox folder.</p>` : nothing}`;
  }

  #sent(): TemplateResult {
    return html`<div class="page-icon">${icon("mail", "l")}</div>
      <h1>Look in your mail</h1>
      <p class="lead">If <strong>${this.sentTo}</strong> belongs to someone here, a link is on its way. It works once, for 10 minutes, in this browser.</p>
      ${instance.value?.mail === "outbox" ? html`<p class="hint">This installation sends no mail yet: whoever runs it finds your link in its outbox folder.</p>` : nothing}
      <button class="button wide" type="button" @click=${() => (this.sentTo = "")}>Use another address, or send again</button>`;
  }

  #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      await api.signIn(this.email.trim());
      keepWayBack();
      this.sentTo = this.email.trim();
      announce("Look in your mail");
    });
  };
}

customElements.define("hf-sign-in", SignInPage);
