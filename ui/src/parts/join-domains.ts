/** Domains whose addresses may join without an invitation: listing, adding, removing. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type JoinDomain } from "../api/http";
import { announce } from "../app/announcer";
import { FormPage } from "../pages/page";
import { confirmBox } from "./confirm-box";
import { field, notice, sentence, submitButton } from "./form";
import { withStepUp } from "./step-up";

export class JoinDomains extends FormPage {
  @state() private domains: readonly JoinDomain[] = [];
  @state() private domain = "";
  @state() private approval = true;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      this.domains = (await api.joinDomains()).domains;
    } catch (error) {
      this.problem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`<section class="card" aria-labelledby="domains-title">
      <h2 id="domains-title">Who may join without an invitation</h2>
      <p class="muted">Whoever shows that they have an address of one of these domains, by the link in a mail or by a site above that has checked it, may join as a member. <a href="/people/waiting">Who waits</a></p>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.domains.length > 0
        ? html`<ul class="ways" aria-label="Domains">
            ${this.domains.map(
              (each) => html`<li class="way way-plain">
                <div class="way-words"><strong>${each.domain}</strong><br><span class="muted">${each.approval ? "after somebody agrees" : "at once"}</span></div>
                <div class="way-buttons"><button class="button small" type="button" aria-label="Remove ${each.domain}" ?disabled=${this.busy} @click=${() => this.#remove(each)}>Remove</button></div>
              </li>`,
            )}
          </ul>`
        : html`<p class="list-note">Nobody: everyone is invited.</p>`}
      <form @submit=${this.#put}>
        ${field({ id: "join-domain", label: "Domain", value: this.domain, placeholder: "example.org", hint: "Everyone who has an address there. Do not enter a domain where anybody can get one.", onInput: (value) => (this.domain = value) })}
        <label class="check"><input type="checkbox" .checked=${this.approval} @change=${(event: Event) => (this.approval = (event.target as HTMLInputElement).checked)}> An owner or admin has to agree first</label>
        ${submitButton("Let them join", this.busy)}
      </form>
    </section>`;
  }

  #put = (event: SubmitEvent): void => {
    event.preventDefault();
    void this.work(async () => {
      const put = await withStepUp(() => api.putJoinDomain({ domain: this.domain.trim(), approval: this.approval }));
      if (!put) return;
      this.domain = "";
      announce(`People of ${put.domain} may join${put.approval ? " after somebody agrees" : ""}.`);
      await this.#load();
    });
  };

  #remove(domain: JoinDomain): void {
    void this.work(async () => {
      const words = "Nobody joins from there any more without an invitation. Who has joined stays.";
      if (!(await confirmBox({ title: `Remove ${domain.domain}?`, words, yes: "Remove", danger: true }))) return;
      const gone = await withStepUp(async () => {
        await api.removeJoinDomain(domain.id);
        return true;
      });
      if (gone) announce(`${domain.domain} is removed.`);
      await this.#load();
    });
  }
}

customElements.define("hf-join-domains", JoinDomains);
