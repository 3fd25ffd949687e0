/** Other sites that people sign in with, and who may join without an invitation. For owners and admins. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, Problem, type Provider, type ProviderKind } from "../api/http";
import { announce } from "../app/announcer";
import { confirmBox } from "../parts/confirm-box";
import "../parts/copy";
import { field, notice, sentence, submitButton } from "../parts/form";
import { icon } from "../parts/icon";
import "../parts/join-domains";
import { withStepUp } from "../parts/step-up";
import { FormPage } from "./page";

interface KindWords {
  kind: ProviderKind;
  name: string;
  /** What is asked for besides a name, if anything. */
  issuer?: { label: string; hint: string; required: boolean };
  /** Where its client id and secret come from. */
  where: string;
}

const KINDS: readonly KindWords[] = [
  { kind: "google", name: "Google", where: "In Google’s Cloud Console, under “APIs & Services”, “Credentials”, make an “OAuth client ID” of the type “Web application”." },
  { kind: "microsoft", name: "Microsoft", issuer: { label: "Directory (tenant) ID", hint: "On the overview of Microsoft Entra ID.", required: true }, where: "In Microsoft’s Entra admin center, under “App registrations”, make a registration for the platform “Web”, then a client secret under “Certificates & secrets”." },
  { kind: "github", name: "GitHub", issuer: { label: "Address of your own GitHub server", hint: "Leave it empty for github.com.", required: false }, where: "On GitHub, in the settings of your organisation under “Developer settings”, “OAuth Apps”, make a new app." },
  { kind: "oidc", name: "Another site (OpenID Connect)", issuer: { label: "Issuer", hint: "As the site writes it, such as https://login.example.org.", required: true }, where: "In the settings of the site, make a confidential client with the authorization code flow." },
];

const RESULTS = {
  works: "It works: the site is there and knows us.",
  reached: "The site is there. Whether it takes the client ID and secret shows when somebody signs in.",
  client_refused: "The site is there, but does not take the client ID and secret. Look whether they were copied whole.",
  failed: "The site cannot be used.",
} as const;

export class ProvidersPage extends FormPage {
  @state() private providers: readonly Provider[] | undefined;
  @state() private page = "";
  @state() private loadProblem = "";
  @state() private done = "";
  @state() private warning = "";
  @state() private kind: ProviderKind = "google";
  @state() private name = "Google";
  @state() private issuer = "";
  /** The one whose form is open, and what was entered in it. */
  @state() private open: string | undefined;
  @state() private clientId = "";
  @state() private secret = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      const { providers, sign_in_page } = await api.providers();
      this.providers = providers;
      this.page = sign_in_page;
      this.loadProblem = "";
    } catch (error) {
      this.loadProblem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<div class="page">
      <h1>Sign-in</h1>
      <p class="lead">Which other sites people may sign in with, and who may join without an invitation. A link by mail always works, too.</p>
      ${this.loadProblem ? html`${notice("error", this.loadProblem)}<button class="button" type="button" @click=${() => void this.#load()}>Try again</button>` : nothing}
      ${this.problem ? notice("error", this.problem) : nothing} ${this.warning ? notice("warn", this.warning) : nothing} ${this.done ? notice("ok", this.done) : nothing}
      ${this.providers ? html`${this.#list(this.providers)} ${this.#add()} <hf-join-domains></hf-join-domains>` : this.loadProblem ? nothing : html`<div class="skeleton-list" role="status" aria-label="Loading"><i></i><i></i><i></i></div>`}
    </div>`;
  }

  #list(providers: readonly Provider[]): TemplateResult {
    if (providers.length === 0) return html`<p class="list-note">No other site is set up yet.</p>`;
    return html`<ul class="people" aria-label="Sites to sign in with">
        ${providers.map(
          (each) => html`<li>
            <span class="avatar" aria-hidden="true">${icon("globe", "s")}</span>
            <span class="people-name"><strong>${each.name}</strong><span class="muted">${each.issuer}</span></span>
            <span class="tag">${each.on ? "On" : finished(each) ? "Off" : "Not finished"}</span>
            <button class="button small" type="button" aria-expanded=${this.open === each.id ? "true" : "false"} aria-label="Settings of ${each.name}" @click=${() => this.#toggle(each)}>Settings</button>
            ${finished(each) ? html`<button class="button small" type="button" ?disabled=${this.busy} aria-label="Test ${each.name}" @click=${() => this.#test(each)}>Test</button><button class="button small" type="button" ?disabled=${this.busy} aria-label="Turn ${each.on ? "off" : "on"} ${each.name}" @click=${() => this.#turn(each)}>Turn ${each.on ? "off" : "on"}</button>` : nothing}
            <button class="button small" type="button" ?disabled=${this.busy} aria-label="Remove ${each.name}" @click=${() => this.#remove(each)}>Remove</button>
            ${this.open === each.id ? html`<div class="row-below">${this.#settings(each)}</div>` : nothing}
          </li>`,
        )}
      </ul>
      ${providers.some((each) => each.on) ? html`<p class="hint">The sign-in page with these buttons: <a href=${this.page} target="_blank" rel="noopener">${this.page}</a></p>` : nothing}`;
  }

  #settings(provider: Provider): TemplateResult {
    const words = KINDS.find((each) => each.kind === provider.kind);
    return html`<form class="inset" @submit=${(event: SubmitEvent) => this.#save(event, provider)}>
      <p>${words?.where} As the address to send people back to (“redirect URI”, “callback URL”), enter:</p>
      <p class="row"><code class="break">${provider.way_back}</code><hf-copy .text=${provider.way_back} label="Copy the address"></hf-copy></p>
      <p>Then copy from there:</p>
      ${field({ id: "provider-client", label: "Client ID", value: this.clientId, onInput: (value) => (this.clientId = value) })}
      ${field({ id: "provider-secret", label: "Client secret", type: "password", value: this.secret, required: !provider.has_secret, hint: provider.has_secret ? "There is one. Leave this empty to keep it. Nobody is shown it again." : "It is kept encrypted. Nobody is shown it again.", onInput: (value) => (this.secret = value) })}
      ${submitButton(provider.on ? "Save" : "Save and turn on", this.busy)}
    </form>`;
  }

  #add(): TemplateResult {
    const words = KINDS.find((each) => each.kind === this.kind);
    return html`<section class="card" aria-labelledby="add-provider-title">
      <h2 id="add-provider-title">Add a site</h2>
      <form @submit=${this.#create}>
        <div class="field">
          <label for="provider-kind">Site</label>
          <select id="provider-kind" @change=${(event: Event) => this.#choose((event.target as HTMLSelectElement).value as ProviderKind)}>
            ${KINDS.map((each) => html`<option value=${each.kind} ?selected=${each.kind === this.kind}>${each.name}</option>`)}
          </select>
        </div>
        ${field({ id: "provider-name", label: "Name on the button", value: this.name, maxlength: 100, hint: `People see “Sign in with ${this.name || "…"}”.`, onInput: (value) => (this.name = value) })}
        ${words?.issuer ? field({ id: "provider-issuer", label: words.issuer.label, value: this.issuer, required: words.issuer.required, hint: words.issuer.hint, onInput: (value) => (this.issuer = value) }) : nothing}
        ${submitButton("Add", this.busy)}
      </form>
    </section>`;
  }

  #choose(kind: ProviderKind): void {
    this.kind = kind;
    this.issuer = "";
    this.name = kind === "oidc" ? "" : (KINDS.find((each) => each.kind === kind)?.name ?? "");
  }

  #toggle(provider: Provider): void {
    this.open = this.open === provider.id ? undefined : provider.id;
    this.clientId = provider.client_id;
    this.secret = "";
  }

  #act(action: () => Promise<string | undefined>): void {
    this.done = "";
    this.warning = "";
    void this.work(async () => {
      const said = await action();
      if (said === undefined) return;
      this.done = said;
      announce(said);
      await this.#load();
    });
  }

  #create = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#act(async () => {
      const adding = withStepUp(() => api.addProvider({ kind: this.kind, name: this.name.trim(), issuer: this.issuer.trim() }));
      const added = await adding.catch(async (error: unknown) => {
        // Perhaps by this very request, of whose answer nothing arrived.
        if (error instanceof Problem && error.code === "provider_known") await this.#load();
        throw error;
      });
      if (!added) return undefined;
      this.open = added.id;
      this.clientId = "";
      this.secret = "";
      return `${added.name} is added. Enter what it gives you to turn it on.`;
    });
  };

  #save(event: SubmitEvent, provider: Provider): void {
    event.preventDefault();
    this.#act(async () => {
      const secret = this.secret.trim();
      const body = { name: provider.name, client_id: this.clientId.trim(), on: true, ...(secret === "" ? {} : { client_secret: secret }) };
      const saved = await withStepUp(() => api.changeProvider(provider.id, body));
      if (!saved) return undefined;
      this.open = undefined;
      this.secret = "";
      return `People can sign in with ${saved.name} now, once they have linked their account under “Signing in”.`;
    });
  }

  #turn(provider: Provider): void {
    this.#act(async () => {
      const body = { name: provider.name, client_id: provider.client_id, on: !provider.on };
      const saved = await withStepUp(() => api.changeProvider(provider.id, body));
      return saved ? (saved.on ? `${saved.name} is on.` : `${saved.name} is off: nobody signs in with it. Whoever is signed in stays so.`) : undefined;
    });
  }

  #test(provider: Provider): void {
    this.#act(async () => {
      const { result, problem } = await api.testProvider(provider.id);
      if (result === "works" || result === "reached") return RESULTS[result];
      this.warning = `${RESULTS[result]} ${problem ?? ""}`.trim();
      announce(this.warning);
      return undefined;
    });
  }

  #remove(provider: Provider): void {
    this.#act(async () => {
      const words = "Nobody signs in with it any more. People who linked an account there sign in by mail.";
      if (!(await confirmBox({ title: `Remove ${provider.name}?`, words, yes: "Remove", danger: true }))) return undefined;
      const gone = await withStepUp(async () => {
        await api.removeProvider(provider.id);
        return true;
      });
      return gone ? `${provider.name} is removed.` : undefined;
    });
  }
}

function finished(provider: Provider): boolean {
  return provider.client_id !== "" && provider.has_secret;
}

customElements.define("hf-providers", ProvidersPage);
