/** What a server of tools has, and what its owner says that each tool may be called as. The server's own hints are suggestions. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { announce } from "../app/announcer";
import { online } from "../app/link";
import type { Does, Route, ServerTool } from "../channel/messages";
import { FormPage } from "../pages/page";
import { notice, submitButton } from "../parts/form";
import { saveRoute, toolsOf } from "./services";
import { allowed, DOES, missing, notShown } from "./tool-words";

export class RouteTools extends FormPage {
  @property({ attribute: false }) route!: Route;
  @state() private tools: readonly ServerTool[] | undefined;
  /** Which of them are not shown, and why. */
  @state() private unshown = "";
  /** What was chosen, by tool. */
  @state() private does: Readonly<Record<string, Does | "">> = {};

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    await this.work(async () => {
      const now = await toolsOf(this.route.name);
      const { tools } = now;
      // What has changed is chosen anew, by somebody who has read it.
      const chosen = tools.map((each) => [each.name, each.changed ? "" : (each.does ?? "")] as const);
      const known = this.route.tools ?? {};
      this.does = Object.fromEntries([...chosen, ...missing(tools, known).map((name) => [name, known[name]?.does ?? ""] as const)]);
      this.tools = tools;
      this.unshown = notShown(now);
    });
  }

  protected override render(): TemplateResult {
    const { tools } = this;
    if (!tools)
      return this.problem
        ? html`${notice("error", this.problem)}<div class="row"><button class="button small" type="button" @click=${() => void this.#load()}>Try again</button></div>`
        : html`<div class="skeleton-list" role="status" aria-label="Asking the server which tools it has"><i></i><i></i></div>`;
    const gone = missing(tools, this.route.tools ?? {});
    if (tools.length === 0 && gone.length === 0) return html`<p class="empty">${this.unshown || "The server has no tools now."}</p>`;
    return html`<form class="inset" @submit=${this.#save}>
      <p class="muted">You decide what each tool may be called as. A tool that you leave out is refused, to your agent and to those you share with. What the server hints is its own word: read what the tool does.</p>
      <ul class="people">
        ${tools.map(
          (each) => html`<li>
            <span class="people-name"><strong>${each.title ?? each.name}</strong>${each.title && each.title !== each.name ? html`<code>${each.name}</code>` : nothing}${each.seen === null ? html`<span class="field-error">There are letters in what the server says of it that nobody sees. It cannot be allowed.</span>` : this.#said(each)}</span>
            ${each.seen === null ? nothing : this.#choice(each.name)}
          </li>`,
        )}
        ${gone.map((name) => html`<li><span class="people-name"><strong>${name}</strong><span class="muted">The server does not have it now.</span></span>${this.#choice(name)}</li>`)}
      </ul>
      ${this.unshown ? notice("warn", this.unshown) : nothing}
      ${this.problem ? notice("error", this.problem) : nothing}
      <div class="row end">
        <button class="button" type="button" @click=${() => this.#done()}>Cancel</button>
        ${submitButton("Save tools", this.busy, "Saving…", !online.value)}
      </div>
    </form>`;
  }

  #said(each: ServerTool): TemplateResult {
    return html`<span class="muted">${each.description ?? "It does not say what it does."}</span><span class="muted">${each.hint ? `The server hints: ${DOES[each.hint].toLocaleLowerCase()}` : "The server hints nothing"}</span>${each.changed ? html`<span class="field-error">Described otherwise than when you allowed it: refused until you choose again.</span>` : nothing}
      <details><summary>What it is given<span class="sr-only">: ${each.name}</span></summary><pre class="shared-answer" tabindex="0" role="region" aria-label="Arguments of ${each.name}">${JSON.stringify(each.input_schema, null, 2)}</pre></details>`;
  }

  #choice(name: string): TemplateResult {
    return html`<select aria-label="What ${name} does" @change=${(event: Event) => (this.does = { ...this.does, [name]: (event.target as HTMLSelectElement).value as Does | "" })}>
      <option value="" ?selected=${!this.does[name]}>Not allowed</option>
      ${(Object.keys(DOES) as Does[]).map((one) => html`<option value=${one} ?selected=${this.does[name] === one}>${DOES[one]}</option>`)}
    </select>`;
  }

  #done(): void {
    this.dispatchEvent(new CustomEvent("done"));
  }

  #save = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      await saveRoute({ ...this.route, tools: allowed(this.tools ?? [], this.route.tools ?? {}, this.does) });
      announce("Saved");
      this.#done();
    });
  };
}

customElements.define("hf-route-tools", RouteTools);
