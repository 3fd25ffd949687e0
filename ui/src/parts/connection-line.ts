/** How the connection to the vault is, on the pages that stand before it: what is done, for how long already, and what can be done meanwhile. */
import { html, nothing, type TemplateResult } from "lit";
import { connect, type Link, link } from "../app/link";
import { icon } from "./icon";
import { working } from "./working";

/** What is done while the connection is being made. */
export function reaching(now: Extract<Link, { at: "connecting" }>, words = "Reaching your vault…"): TemplateResult {
  return working(now.hint === "starting_keeper" ? "Starting your vault’s keeper…" : words, now.since);
}

export function connectionLine(meanwhile: string, words?: string): TemplateResult | typeof nothing {
  const now = link.value;
  if (now.at === "waiting") return html`<p class="connection-line">${icon("wifi-off", "s")} ${now.reason} <button class="link" type="button" @click=${() => void connect()}>Try now</button></p>`;
  if (now.at === "connecting") return html`<p class="connection-line" role="status">${reaching(now, words)}<br>${meanwhile}</p>`;
  return nothing;
}
