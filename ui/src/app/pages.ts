/** The pages of an unlocked vault: which there are, and of those besides conversations what each is called and what stands there. */
import { html, type TemplateResult } from "lit";

export interface Page {
  title: string;
  body: TemplateResult;
  /** Loads what is not loaded with the first page. */
  load?: () => Promise<unknown>;
}

const PAGES: ReadonlyMap<string, Page> = new Map<string, Page>([
  ["/people", { title: "People", body: html`<hf-people></hf-people>` }],
  ["/people/waiting", { title: "Who waits", load: () => import("../pages/waiting"), body: html`<hf-waiting></hf-waiting>` }],
  ["/providers", { title: "Sign-in", load: () => import("../pages/providers"), body: html`<hf-providers></hf-providers>` }],
  ["/me", { title: "Me", body: html`<hf-me></hf-me>` }],
  ["/secrets", { title: "Secrets", load: () => import("../secrets/secrets-page"), body: html`<hf-secrets></hf-secrets>` }],
  ["/secrets/import", { title: "Bring secrets in", load: () => import("../secrets/import-page"), body: html`<hf-import></hf-import>` }],
  ["/secrets/export", { title: "Export secrets", load: () => import("../secrets/export-page"), body: html`<hf-export></hf-export>` }],
  ["/inbox", { title: "Inbox", load: () => import("../approvals/inbox-page"), body: html`<hf-inbox></hf-inbox>` }],
  ["/shared", { title: "Shared", load: () => import("../shared/shared-page"), body: html`<hf-shared></hf-shared>` }],
  ["/models", { title: "Models and spending", load: () => import("../spending/models-page"), body: html`<hf-models></hf-models>` }],
  ["/services", { title: "Services", load: () => import("../secrets/services-page"), body: html`<hf-services></hf-services>` }],
  ["/activity", { title: "Activity", load: () => import("../secrets/activity-page"), body: html`<hf-activity></hf-activity>` }],
  ["/locking", { title: "Locking and key", load: () => import("../pages/locking"), body: html`<hf-locking></hf-locking>` }],
  ["/ways-in", { title: "Ways in", load: () => import("../pages/ways-in"), body: html`<hf-ways-in></hf-ways-in>` }],
  ["/backup", { title: "Backup", load: () => import("../backup/backup-page"), body: html`<hf-backup></hf-backup>` }],
  ["/trusted", { title: "Trusted people", load: () => import("../trust/trusted-page"), body: html`<hf-trusted></hf-trusted>` }],
  ["/model", { title: "Model", body: html`<hf-model></hf-model>` }],
  ["/audit", { title: "Audit", load: () => import("../pages/audit"), body: html`<hf-audit></hf-audit>` }],
  ["/alerts", { title: "Alerts", load: () => import("../pages/alerts"), body: html`<hf-alerts></hf-alerts>` }],
  ["/groups", { title: "Groups", load: () => import("../pages/groups"), body: html`<hf-groups></hf-groups>` }],
  ["/keys", { title: "API keys", load: () => import("../pages/keys"), body: html`<hf-keys></hf-keys>` }],
  ["/security", { title: "Signing in", load: () => import("../pages/security"), body: html`<hf-security></hf-security>` }],
]);

/** Where the page of one group is; its id follows. */
export const GROUP = "/groups/";

export function pageAt(path: string): Page | undefined {
  if (!path.startsWith(GROUP)) return PAGES.get(path);
  return { title: "Group", load: () => import("../pages/group"), body: html`<hf-group .group=${path.slice(GROUP.length)}></hf-group>` };
}

export function isChat(path: string): boolean {
  return path === "/" || path.startsWith("/c/");
}

/** Of one conversation, or of one group; ids are UUIDs. */
const ONE = /^\/(?:c|groups)\/[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Whether a path is one of a page of ours besides the first, and nothing else. */
export function isPage(path: string): boolean {
  return ONE.test(path) || PAGES.has(path);
}
