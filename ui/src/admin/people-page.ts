/** Everybody on this installation: who they are, not what they do. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { param } from "./address";
import { operator, type Person } from "./api";
import { filter } from "./filter";
import { LivePage } from "./live-page";
import { PEOPLE_FIELDS, peopleColumns } from "./people-table";
import { sealed } from "./sealed";
import { filterField, ROWS_AT_FIRST, table } from "./table";

export class PeoplePage extends LivePage<{ people: Person[]; more: boolean }> {
  @state() private shown = ROWS_AT_FIRST;

  protected load(): Promise<{ people: Person[]; more: boolean }> {
    return operator.people();
  }

  protected override render(): TemplateResult {
    return this.frame("People", (data) => this.#list(data));
  }

  #list({ people, more }: { people: Person[]; more: boolean }): TemplateResult {
    if (people.length === 0) return html`<p class="lead">Nobody is here yet.</p>`;
    const { matches, problem } = filter(param("q"), PEOPLE_FIELDS);
    const rows = people.filter(matches);
    return html`${filterField("Find somebody", "A name, state:suspended, factor:no, role:owner", problem)}
      ${more ? html`<p class="list-note">These are the first ${people.length}. There are more.</p>` : nothing}
      ${rows.length === 0
        ? html`<p class="list-note">Nobody fits.</p>`
        : table({ label: "People", columns: peopleColumns(this.now, (what) => this.act(what), true), rows, id: (person) => person.id, name: (person) => person.name, sorted: "name", shown: this.shown, more: () => (this.shown += ROWS_AT_FIRST) })}
      ${sealed("Their conversations, secrets and files")}`;
  }
}

customElements.define("hf-admin-people", PeoplePage);
