/** Where the operator is: path and search of the address, in a signal. What is sorted and filtered stands in the search, so that it can be kept and sent. */
import { signal } from "@preact/signals-core";

export interface Place {
  path: string;
  search: URLSearchParams;
}

function here(): Place {
  return { path: location.pathname.replace(/(?<=.)\/+$/, ""), search: new URLSearchParams(location.search) };
}

export const place = signal<Place>(here());

export function go(to: string): void {
  history.pushState(null, "", to);
  place.value = here();
}

/** Sets one thing in the search, or takes it out; what is typed makes no steps to go back through. */
export function setParam(name: string, value: string): void {
  const { path, search } = place.peek();
  const next = new URLSearchParams(search);
  if (value === "") next.delete(name);
  else next.set(name, value);
  const text = next.toString();
  history.replaceState(null, "", text === "" ? path : `${path}?${text}`);
  place.value = here();
}

export function param(name: string): string {
  return place.value.search.get(name) ?? "";
}

export function followLinks(): void {
  addEventListener("popstate", () => {
    place.value = here();
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a");
    if (!link || link.target !== "" || link.origin !== location.origin || link.getAttribute("href")?.startsWith("#")) return;
    if (link.pathname !== "/admin" && !link.pathname.startsWith("/admin/")) return;
    event.preventDefault();
    go(`${link.pathname}${link.search}`);
  });
}
