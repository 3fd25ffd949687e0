/**
 * How a page presents itself in this browser: light, dark, or as the system says; and how much of an answer a screen reader is read.
 * Kept in localStorage, because the look must be known before the first paint; it is no secret.
 */
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

const READS = "holdfast.reads";

/** Whether a screen reader is read an answer whole when it is finished; otherwise its first sentence. */
export const readsWhole = signal(localStorage.getItem(READS) === "whole");

export function setReadsWhole(whole: boolean): void {
  readsWhole.value = whole;
  if (whole) localStorage.setItem(READS, "whole");
  else localStorage.removeItem(READS);
}
