/** The one place that speaks to a screen reader while a page stands: a polite status and an assertive alert, both out of sight. */
import { signal } from "@preact/signals-core";

export const politeText = signal("");
export const alertText = signal("");

export function announce(text: string): void {
  // The same words again are a new announcement: a zero-width mark makes the text differ.
  politeText.value = politeText.peek() === text ? `${text}\u200b` : text;
}

export function alertNow(text: string): void {
  alertText.value = alertText.peek() === text ? `${text}\u200b` : text;
}
