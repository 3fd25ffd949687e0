/** Light, dark, or as the system says. Kept in localStorage, because it must be known before the first paint; it is no secret. */
import { signal } from "@preact/signals-core";

export type Appearance = "system" | "light" | "dark";

function read(): Appearance {
  const kept = localStorage.getItem("holdfast.theme");
  return kept === "light" || kept === "dark" ? kept : "system";
}

export const appearance = signal<Appearance>(read());

export function setAppearance(choice: Appearance): void {
  appearance.value = choice;
  if (choice === "system") {
    localStorage.removeItem("holdfast.theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("holdfast.theme", choice);
    document.documentElement.dataset.theme = choice;
  }
}
