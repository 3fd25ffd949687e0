/** How the tools are described that somebody shares with a group: read where the yes is given. */
import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { online } from "../app/link";
import { FormPage } from "../pages/page";
import { notice } from "../parts/form";
import { type OfferedTool, offeredTools } from "./offered-tools-words";
import { type Received, toolsOfReceived } from "./shared";

export class OfferedTools extends FormPage {
  @property({ attribute: false }) received!: Received;
  @state() private tools: readonly OfferedTool[] | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  #load(): Promise<void> {
    return this.work(async () => {
      const tools = offeredTools(await toolsOfReceived(this.received.id));
      if (!tools) throw new Error("The server of tools did not answer as one does.");
      this.tools = tools;
    });
  }

  protected override render(): TemplateResult {
    const { tools } = this;
    const owner = this.received.name ?? "whoever shares it";
    return html`<p>It is a server of tools. Your agent can read how it describes them, in the server’s words:</p>
      <p class="muted" role="status">${this.busy ? `Asking ${owner}’s vault…` : ""}</p>
      ${this.problem ? html`${notice("warn", `How it describes them cannot be shown now. ${this.problem}`)}<div class="row"><button class="button small" type="button" ?disabled=${this.busy || !online.value} @click=${() => void this.#load()}>Ask again</button></div>` : nothing}
      ${tools?.length === 0 ? html`<p class="muted">None of them may be called now.</p>` : nothing}
      ${tools && tools.length > 0 ? html`<ul class="people" aria-label="Its tools">${tools.map((each) => html`<li><span class="people-name"><strong>${each.name}</strong><span class="muted">${each.description || "It does not say what it does."}</span></span><span class="tag">${each.does}</span></li>`)}</ul>` : nothing}`;
  }
}

customElements.define("hf-offered-tools", OfferedTools);
