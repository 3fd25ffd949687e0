/** A table that is sorted by its heads, as the address says; on a narrow screen each row is a card. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { icon } from "../parts/icon";
import { param, setParam } from "./address";

/** Rows that are drawn at first; a page with thousands stays quick. */
export const ROWS_AT_FIRST = 200;

export interface Column<T> {
  key: string;
  title: string;
  cell(row: T): unknown;
  /** What it is sorted by; without it, it is not. */
  by?(row: T): string | number;
  number?: boolean;
}

export interface TableOptions<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  id(row: T): string;
  /** The column that it is sorted by where the address says nothing; with a minus, the largest first. */
  sorted: string;
  shown: number;
  more(): void;
  chosen?: ReadonlySet<string>;
  choose?(row: T, yes: boolean): void;
  chooseAll?(rows: readonly T[], yes: boolean): void;
  name(row: T): string;
}

export function sortRows<T>(rows: readonly T[], columns: readonly Column<T>[], sorted: string): T[] {
  const by = columns.find((column) => column.key === sorted.replace(/^-/, ""))?.by;
  if (!by) return [...rows];
  const sign = sorted.startsWith("-") ? -1 : 1;
  return [...rows].sort((one, two) => {
    const [a, b] = [by(one), by(two)];
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true, sensitivity: "base" }));
  });
}

export function table<T>(options: TableOptions<T>): TemplateResult {
  const { columns, chosen } = options;
  const sorted = param("sort") || options.sorted;
  const rows = sortRows(options.rows, columns, sorted);
  const drawn = rows.slice(0, options.shown);
  const all = chosen !== undefined && rows.length > 0 && rows.every((row) => chosen.has(options.id(row)));
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${options.label}>
      <table role="table" class="admin-table" aria-label=${options.label}>
        <thead role="rowgroup">
          <tr role="row">
            ${chosen ? html`<th role="columnheader" class="choose"><input type="checkbox" aria-label="Choose all" .checked=${all} @change=${(event: Event) => options.chooseAll?.(rows, (event.target as HTMLInputElement).checked)}></th>` : nothing}
            ${columns.map((column) => head(column, sorted))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${repeat(drawn, options.id, (row) => {
            const id = options.id(row);
            return html`<tr role="row" class=${chosen?.has(id) ? "chosen" : ""}>
              ${chosen ? html`<td role="cell" class="choose"><input type="checkbox" aria-label="Choose ${options.name(row)}" .checked=${chosen.has(id)} @change=${(event: Event) => options.choose?.(row, (event.target as HTMLInputElement).checked)}></td>` : nothing}
              ${columns.map((column) => html`<td role="cell" class=${column.number ? "number" : ""} data-title=${column.title}><span>${column.cell(row)}</span></td>`)}
            </tr>`;
          })}
        </tbody>
      </table>
    </div>
    ${rows.length > drawn.length ? html`<p><button class="button" type="button" @click=${options.more}>Show ${Math.min(rows.length - drawn.length, ROWS_AT_FIRST)} more of ${rows.length}</button></p>` : nothing}`;
}

function head<T>(column: Column<T>, sorted: string): TemplateResult {
  if (!column.by) return html`<th role="columnheader" scope="col">${column.title}</th>`;
  const up = sorted === column.key;
  const down = sorted === `-${column.key}`;
  return html`<th role="columnheader" scope="col" class=${column.number ? "number" : ""} aria-sort=${up ? "ascending" : down ? "descending" : "none"}>
    <button class="sort" type="button" @click=${() => setParam("sort", up ? `-${column.key}` : column.key)}>${column.title}${up ? icon("arrow-up", "s") : down ? icon("arrow-down", "s") : nothing}</button>
  </th>`;
}

/** The field above a table in which it is filtered; it stands in the address as `q`. */
export function filterField(label: string, placeholder: string, problem: string): TemplateResult {
  return html`<form role="search" class="admin-filter" @submit=${(event: SubmitEvent) => event.preventDefault()}>
    <div class="field">
      <label for="filter">${label}</label>
      <input id="filter" type="search" autocomplete="off" spellcheck="false" placeholder=${placeholder} .value=${param("q")} aria-describedby=${problem ? "filter-problem" : nothing} @input=${(event: InputEvent) => setParam("q", (event.target as HTMLInputElement).value)}>
      ${problem ? html`<p class="field-error" id="filter-problem">${icon("circle-alert", "s")}${problem}</p>` : nothing}
    </div>
  </form>`;
}
