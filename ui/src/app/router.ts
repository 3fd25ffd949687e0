/** Which page stands: the path, kept in a signal; links of our own are followed without a reload. */
import { signal } from "@preact/signals-core";

export const path = signal(location.pathname);

export function go(to: string, options: { replace?: boolean } = {}): void {
  if (to === location.pathname) return;
  if (options.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  path.value = location.pathname;
}

/** Takes the token out of the address (`/join#token`), so that it is in no history entry and no copied link. */
export function takeFragment(): string {
  const token = decodeURIComponent(location.hash.slice(1));
  if (token !== "") history.replaceState(null, "", location.pathname);
  return token;
}

export function followLinks(): void {
  addEventListener("popstate", () => {
    path.value = location.pathname;
  });
  // A link of a mail that is pasted into a page that stands already changes the fragment alone: begin anew with it.
  addEventListener("hashchange", () => {
    if (location.hash.length > 1) location.reload();
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a");
    if (!link || link.target !== "" || link.origin !== location.origin || link.hasAttribute("download") || link.getAttribute("href")?.startsWith("#")) return;
    event.preventDefault();
    go(link.pathname);
  });
}
