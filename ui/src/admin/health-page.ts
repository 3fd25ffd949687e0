/** What must be in order for Holdfast to run well, each with what to do where it is not. */
import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../parts/icon";
import type { IconName } from "../parts/icon-names";
import { type CheckState, type Health, operator } from "./api";
import { LivePage } from "./live-page";

const MARKS: Record<CheckState, { words: string; icon: IconName }> = {
  good: { words: "In order", icon: "circle-check" },
  weak: { words: "Could be better", icon: "triangle-alert" },
  bad: { words: "Not in order", icon: "circle-x" },
};

export class HealthPage extends LivePage<Health> {
  protected override every = 15_000;

  protected load(): Promise<Health> {
    return operator.health();
  }

  protected override render(): TemplateResult {
    return this.frame("Health", (data) => {
      const worst = [...data.checks].sort((one, two) => rank(one.state) - rank(two.state));
      return html`<p class="lead">The checks of <code>holdfast doctor</code>, and those that a running server makes. As of ${new Date(data.checked_at).toLocaleTimeString()}.</p>
        <ul class="checks">
          ${worst.map(
            (check) => html`<li class="check-${check.state}">
              ${icon(MARKS[check.state].icon)}
              <div>
                <strong>${check.name}</strong> <span class="tag">${MARKS[check.state].words}</span>
                <p>${check.found}</p>
                ${check.fix ? html`<p class="fix">${check.fix}</p>` : nothing}
              </div>
            </li>`,
          )}
        </ul>
        <p><button class="button" type="button" @click=${() => void this.reload()}>${icon("refresh-cw", "s")} Check again</button></p>`;
    });
  }
}

function rank(state: CheckState): number {
  return state === "bad" ? 0 : state === "weak" ? 1 : 2;
}

customElements.define("hf-admin-health", HealthPage);
