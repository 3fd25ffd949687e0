/**
 * Where somebody was when they had to sign in: they come back there, whichever way they sign in. The sign-in page's own address says it; who
 * leaves its tab, for a link in a mail or for another site, finds it in this browser. Nothing is gone to but a page of our own.
 */
import { isPage } from "./pages";

const NEXT = "next";
const KEPT = "holdfast.way-back";

/** As long as a mailed link works, and then a second factor may take. */
export const KEPT_MS = 25 * 60_000;

interface Kept {
  path: string;
  at: number;
}

/** The address of the sign-in page for somebody of this organisation, whose sites to sign in with it shows, who was at this path. */
export function signInFrom(path: string, organisation?: string): string {
  const query = new URLSearchParams({ ...(isPage(path) ? { [NEXT]: path } : {}), ...(organisation === undefined ? {} : { organisation }) });
  return query.size > 0 ? `/sign-in?${query.toString()}` : "/sign-in";
}

function inAddress(): string | undefined {
  const path = new URLSearchParams(location.search).get(NEXT) ?? "";
  return isPage(path) ? path : undefined;
}

/** Keeps it for whoever leaves this tab to sign in, from the page for that or from where they are. */
export function keepWayBack(): void {
  const at = location.pathname;
  const path = inAddress() ?? (isPage(at) ? at : undefined);
  if (path !== undefined) localStorage.setItem(KEPT, JSON.stringify({ path, at: Date.now() } satisfies Kept));
}

/** Where to go now that somebody is in. What was kept is good once. */
export function takeWayBack(): string {
  const text = localStorage.getItem(KEPT);
  localStorage.removeItem(KEPT);
  return inAddress() ?? (text === null ? undefined : kept(text)) ?? "/";
}

/** Whatever stands there, it is no more than one of our pages. */
function kept(text: string): string | undefined {
  try {
    const { path, at } = JSON.parse(text) as Partial<Kept>;
    const age = Date.now() - Number(at);
    return typeof path === "string" && isPage(path) && age >= 0 && age < KEPT_MS ? path : undefined;
  } catch {
    return undefined;
  }
}
