/** Connecting a service, or changing one. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import type { Inject, Route } from "../channel/messages";
import { FormPage } from "../pages/page";
import { confirmBox } from "../parts/confirm-box";
import { field, notice, submitButton } from "../parts/form";
import { secrets } from "./secrets";
import { shared } from "../shared/shared";
import { routeName, routes, saveRoute } from "./services";
import { isAnother, losesShares } from "./shared-of";

type How = "bearer" | "header" | "query" | "basic";

const HOWS: Record<How, string> = {
  bearer: "As a token (Authorization: Bearer …): most services",
  header: "In a header of its own",
  query: "As a parameter of the address",
  basic: "As user name and password",
};

export class RouteForm extends FormPage {
  @property({ attribute: false }) route: Route | undefined;
  @state() private name = "";
  @state() private base = "";
  @state() private secret = "";
  @state() private how: How = "bearer";
  @state() private place = "";
  @state() private readOnly = false;
  @state() private ask = true;
  @state() private about = "";
  /** A server of tools, not a plain service. */
  @state() private isTools = false;

  override connectedCallback(): void {
    super.connectedCallback();
    const known = this.route;
    if (!known) return;
    this.name = known.name;
    this.base = known.base_url;
    this.secret = known.secret;
    this.readOnly = known.read_only;
    this.ask = known.ask !== false;
    this.about = known.about;
    this.isTools = Boolean(known.tools);
    const { inject } = known;
    if (inject.as === "basic") this.how = "basic";
    else if (inject.as === "query") [this.how, this.place] = ["query", inject.name];
    else if (inject.name.toLowerCase() === "authorization" && inject.prefix === "Bearer ") this.how = "bearer";
    else [this.how, this.place] = ["header", inject.name];
  }

  protected override firstUpdated(): void {
    this.querySelector<HTMLElement>("input")?.focus();
  }

  #inject(): Inject {
    switch (this.how) {
      case "bearer":
        return { as: "header", name: "authorization", prefix: "Bearer " };
      case "header":
        return { as: "header", name: this.place.trim(), prefix: this.route?.inject.as === "header" && this.route.inject.name === this.place.trim() ? this.route.inject.prefix : "" };
      case "query":
        return { as: "query", name: this.place.trim() };
      case "basic":
        return { as: "basic" };
    }
  }

  protected override render(): TemplateResult {
    const usable = (secrets.value ?? []).filter((each) => each.agent !== "nothing" || each.id === this.secret);
    if (usable.length === 0)
      return html`${notice("info", html`First <a href="/secrets">add a secret</a> that your agent may use: the key of the service.`)}<div class="row end"><button class="button" type="button" @click=${() => this.#done()}>Close</button></div>`;
    const needsPlace = this.how === "header" || this.how === "query";
    const ready = this.name !== "" && this.base.trim() !== "" && this.secret !== "" && (!needsPlace || this.place.trim() !== "");
    return html`<form @submit=${this.#save}>
      ${this.route
        ? html`<h2>${this.route.name}</h2>`
        : field({ id: "route-name", label: "Short name", value: this.name, maxlength: 40, placeholder: "github", hint: "Small letters, digits and hyphens. Your agent calls the service by it.", onInput: (value) => (this.name = routeName(value)) })}
      <div class="field">
        <label for="route-kind">What is it?</label>
        <select id="route-kind" @change=${(event: Event) => (this.isTools = (event.target as HTMLSelectElement).value === "tools")}>
          <option value="http" ?selected=${!this.isTools}>A web service</option>
          <option value="tools" ?selected=${this.isTools}>A server of tools (MCP)</option>
        </select>
      </div>
      ${field({ id: "route-base", label: "Address", type: "url", value: this.base, placeholder: this.isTools ? "https://notes.example.com/mcp" : "https://api.github.com", hint: this.isTools ? "Where the server speaks MCP over HTTP. Once it is connected, you choose which of its tools may be called." : "Everything below this address can be called, and nothing else.", onInput: (value) => (this.base = value) })}
      <div class="field">
        <label for="route-secret">Secret</label>
        <select id="route-secret" @change=${(event: Event) => (this.secret = (event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${this.secret === ""}>Choose…</option>
          ${usable.map((each) => html`<option value=${each.id} ?selected=${each.id === this.secret}>${each.name}</option>`)}
        </select>
      </div>
      <div class="field">
        <label for="route-how">How does the service want it?</label>
        <select id="route-how" @change=${(event: Event) => (this.how = (event.target as HTMLSelectElement).value as How)}>
          ${Object.entries(HOWS).map(([how, words]) => html`<option value=${how} ?selected=${how === this.how}>${words}</option>`)}
        </select>
      </div>
      ${needsPlace ? field({ id: "route-place", label: this.how === "header" ? "Name of the header" : "Name of the parameter", value: this.place, maxlength: 100, placeholder: this.how === "header" ? "X-Api-Key" : "key", onInput: (value) => (this.place = value) }) : nothing}
      <label class="check"><input type="checkbox" .checked=${this.readOnly} @change=${(event: Event) => (this.readOnly = (event.target as HTMLInputElement).checked)}> <span>Only reading<span class="hint">Your agent can look things up there and change nothing.</span></span></label>
      ${this.readOnly ? nothing : html`<label class="check"><input type="checkbox" .checked=${this.ask} @change=${(event: Event) => (this.ask = (event.target as HTMLInputElement).checked)}> <span>Ask me before it changes anything there<span class="hint">Looking things up goes through at once. Without this, your agent changes things without your word. You are asked each time before it deletes something, whatever you choose.</span></span></label>`}
      ${field({ id: "route-about", label: "What is it for? (optional)", value: this.about, required: false, maxlength: 200, placeholder: "Issues and code of our team", hint: "Your agent reads this, and the name, to know when to call the service.", onInput: (value) => (this.about = value) })}
      ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.#done()}>Cancel</button>
        ${submitButton(this.route ? "Save" : "Connect", this.busy, "Saving…", !ready)}
      </div>
    </form>`;
  }

  #done(): void {
    this.dispatchEvent(new CustomEvent("done"));
  }

  /** What its owner said of its tools, and with whom it is shared, is not dropped by the way. */
  async #mayChange(now: Route): Promise<boolean> {
    const before = this.route ?? routes.value?.find((each) => each.name === now.name);
    if (!before || !isAnother(before, now)) return true;
    const loses = losesShares(now.name, shared.value?.given);
    const count = Object.keys(before.tools ?? {}).length;
    if (before.tools && !now.tools) {
      const said = count === 0 ? "" : ` What you said of ${count === 1 ? "its tool" : `its ${count} tools`} is forgotten.`;
      return confirmBox({ title: "Make it a web service?", words: `Your agent then calls its address as it is, and no tool by its name.${said} ${loses}`, yes: "Make it a web service", danger: true });
    }
    return loses === "" || confirmBox({ title: "Make it another service?", words: `With another address, secret or kind it is not the service any more that you have shared. ${loses}`, yes: "Save", danger: true });
  }

  #save = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const route: Route = { name: this.name, base_url: this.base.trim(), secret: this.secret, inject: this.#inject(), read_only: this.readOnly, ask: this.ask, about: this.about.trim(), tools: this.isTools ? (this.route?.tools ?? {}) : null };
      if (!(await this.#mayChange(route))) return;
      await saveRoute(route);
      announce("Saved");
      this.#done();
    });
  };
}

customElements.define("hf-route-form", RouteForm);
