/** The operator's frame: the way in, the pages at the side, and which one stands. */
import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";
import { alertText, announce, politeText } from "../app/announcer";
import { View } from "../app/view";
import { brand, notice, sentence } from "../parts/form";
import { icon } from "../parts/icon";
import type { IconName } from "../parts/icon-names";
import { Problem } from "../api/request";
import { place } from "./address";
import { operator, session } from "./api";

const PAGES: readonly { path: string; title: string; icon: IconName }[] = [
  { path: "/admin", title: "Overview", icon: "gauge" },
  { path: "/admin/tenants", title: "Tenants", icon: "building-2" },
  { path: "/admin/people", title: "People", icon: "users-round" },
  { path: "/admin/waiting", title: "Waiting", icon: "clock" },
  { path: "/admin/cells", title: "Cells", icon: "box" },
  { path: "/admin/health", title: "Health", icon: "heart-pulse" },
  { path: "/admin/audit", title: "Audit", icon: "scroll-text" },
];

export class AdminApp extends View {
  @state() private problem = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#ask();
  }

  async #ask(): Promise<void> {
    this.problem = "";
    try {
      session.value = await operator.session();
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) this.problem = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    return html`${this.#page()}
      <div class="sr-only" role="status" aria-live="polite">${politeText.value}</div>
      <div class="sr-only" role="alert">${alertText.value}</div>`;
  }

  #page(): TemplateResult {
    const now = session.value;
    if (now === "none") return html`<hf-admin-sign-in></hf-admin-sign-in>`;
    if (now === undefined)
      return html`<main class="page-card quiet-card">
        ${brand()}
        <h1 aria-busy=${this.problem ? "false" : "true"}>Operator</h1>
        ${this.problem ? html`${notice("error", this.problem)}<button class="button" type="button" @click=${() => void this.#ask()}>Try again</button>` : html`<p class="lead" role="status">One moment…</p>`}
      </main>`;
    return html`<div class="admin-shell">
      <a class="skip" href="#main" @click=${this.#skip}>Skip to the page</a>
      <header class="admin-bar">
        <a class="brand" href="/admin"><img src="/favicon.svg" alt="" width="24" height="24"><span>${now.name}</span> <span class="tag">Operator</span></a>
        <nav aria-label="Pages">
          ${PAGES.map(({ path, title, icon: name }) => {
            const here = path === "/admin" ? place.value.path === path : place.value.path === path || place.value.path.startsWith(`${path}/`);
            return html`<a class="page-link" href=${path} aria-current=${here ? "page" : nothing}>${icon(name, "s")}<span>${title}</span></a>`;
          })}
        </nav>
        <div class="admin-bar-end"><span class="muted">Holdfast ${now.version}</span><button class="button small" type="button" @click=${() => void this.#signOut()}>${icon("log-out", "s")} Sign out</button></div>
      </header>
      <main id="main" tabindex="-1">${this.#content()}</main>
    </div>`;
  }

  #content(): TemplateResult {
    const { path } = place.value;
    const of = (folder: string): string | undefined => (path.startsWith(folder) ? decodeURIComponent(path.slice(folder.length)) : undefined);
    const tenant = of("/admin/tenants/");
    if (tenant) return html`<hf-admin-tenant .tenant=${tenant}></hf-admin-tenant>`;
    const cell = of("/admin/cells/");
    if (cell) return html`<hf-admin-cell .cell=${cell}></hf-admin-cell>`;
    switch (path) {
      case "/admin":
        return html`<hf-admin-overview></hf-admin-overview>`;
      case "/admin/tenants":
        return html`<hf-admin-tenants></hf-admin-tenants>`;
      case "/admin/people":
        return html`<hf-admin-people></hf-admin-people>`;
      case "/admin/waiting":
        return html`<hf-admin-waiting></hf-admin-waiting>`;
      case "/admin/cells":
        return html`<hf-admin-cells></hf-admin-cells>`;
      case "/admin/health":
        return html`<hf-admin-health></hf-admin-health>`;
      case "/admin/audit":
        return html`<hf-admin-audit></hf-admin-audit>`;
      default:
        return html`<div class="admin-page"><h1>There is nothing here</h1><p class="lead">The address may be old or mistyped.</p><p><a class="button" href="/admin">Go to the overview</a></p></div>`;
    }
  }

  #skip = (event: Event): void => {
    event.preventDefault();
    this.querySelector<HTMLElement>("#main")?.focus();
  };

  async #signOut(): Promise<void> {
    try {
      await operator.signOut();
      announce("Signed out");
      session.value = "none";
    } catch (error) {
      if (session.peek() !== "none") alertText.value = sentence(error);
    }
  }
}

customElements.define("hf-admin", AdminApp);
