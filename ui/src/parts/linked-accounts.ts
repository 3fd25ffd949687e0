/** One's own accounts at other sites that sign one in: linking, unlinking. Says `changed` with what was done. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { api, type LinkedAccount, type ProviderButton } from "../api/http";
import { FormPage } from "../pages/page";
import { confirmBox } from "./confirm-box";
import { notice, sentence } from "./form";
import { leaveFor } from "./provider-words";
import { withStepUp } from "./step-up";

export class LinkedAccounts extends FormPage {
  @state() private accounts: readonly LinkedAccount[] = [];
  @state() private providers: readonly ProviderButton[] = [];

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  async #load(): Promise<void> {
    try {
      const { accounts, providers } = await api.accounts();
      this.accounts = accounts;
      this.providers = providers;
    } catch (error) {
      this.problem = sentence(error);
    }
  }

  protected override render(): TemplateResult | typeof nothing {
    if (this.accounts.length === 0 && this.providers.length === 0) return this.problem ? notice("error", this.problem) : nothing;
    return html`<section class="card" aria-labelledby="accounts-title">
      <h2 id="accounts-title">Accounts at other sites</h2>
      <p class="muted">They sign you in, in place of the mail. A second factor is asked for all the same, and your vault stays closed.</p>
      ${this.problem ? notice("error", this.problem) : nothing}
      ${this.accounts.length > 0
        ? html`<ul class="ways" aria-label="Linked accounts">
            ${this.accounts.map(
              (each) => html`<li class="way way-plain">
                <div class="way-words"><strong>${each.provider ?? host(each.issuer)}: ${each.label}</strong><br><span class="muted">linked ${day(each.linked_at)} · ${each.provider === undefined ? "signs nobody in at the moment" : each.last_used_at === undefined ? "not used yet" : `used ${day(each.last_used_at)}`}</span></div>
                <div class="way-buttons"><button class="button small" type="button" aria-label="Unlink ${each.label}" ?disabled=${this.busy} @click=${() => this.#unlink(each)}>Unlink</button></div>
              </li>`,
            )}
          </ul>`
        : nothing}
      ${this.providers.map((each) => html`<button class="button wide" type="button" ?disabled=${this.busy} @click=${() => this.#link(each)}>Link an account at ${each.name}</button>`)}
    </section>`;
  }

  #link(provider: ProviderButton): void {
    void this.work(async () => {
      const begun = await withStepUp(() => api.linkAccount(provider.id));
      if (begun) leaveFor(begun.url);
    });
  }

  #unlink(account: LinkedAccount): void {
    void this.work(async () => {
      const words = "It does not sign you in any more. A link by mail still does.";
      if (!(await confirmBox({ title: `Unlink ${account.label}?`, words, yes: "Unlink", danger: true }))) return;
      const gone = await withStepUp(async () => {
        await api.unlinkAccount(account.id);
        return true;
      });
      if (!gone) return;
      this.dispatchEvent(new CustomEvent<string>("changed", { detail: `${account.label} is unlinked.` }));
      await this.#load();
    });
  }
}

function host(issuer: string): string {
  try {
    return new URL(issuer).host;
  } catch {
    return issuer;
  }
}

function day(at: number): string {
  return new Date(at).toLocaleDateString();
}

customElements.define("hf-linked-accounts", LinkedAccounts);
