/** What is done in a conversation, in a person's terms. */
import { expect, type Locator, type Page } from "@playwright/test";
import { isSaid } from "./canaries";
import { COLD_START_MS } from "./person";

export function composer(page: Page): Locator {
  return page.getByLabel("Message", { exact: true });
}

export function answers(page: Page): Locator {
  return page.locator("hf-message .message.assistant");
}

export async function send(page: Page, text: string): Promise<void> {
  isSaid(text);
  await composer(page).fill(text);
  await composer(page).press("Enter");
  await expect(composer(page)).toHaveValue("");
}

/** The answer that holds these words is there, whole. */
export async function answered(page: Page, words: string | RegExp): Promise<Locator> {
  if (typeof words === "string") isSaid(words);
  const answer = answers(page).filter({ hasText: words }).last();
  await expect(answer).toBeVisible({ timeout: COLD_START_MS });
  await expect(answer).toHaveClass(/done/, { timeout: COLD_START_MS });
  return answer;
}

export async function newConversation(page: Page): Promise<void> {
  await page.getByRole("button", { name: "New conversation" }).first().click();
  await expect(page.getByRole("heading", { name: /^Hello/ })).toBeVisible();
}

/** Waits until nothing runs: the next message goes out at once. */
export async function quiet(page: Page): Promise<void> {
  await expect(page.getByRole("button", { name: "Stop" })).toHaveCount(0, { timeout: COLD_START_MS });
  await expect(page.locator(".outgoing")).toHaveCount(0, { timeout: COLD_START_MS });
}

export async function recordAnnouncements(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const heard: string[] = [];
    (globalThis as { heard?: string[] }).heard = heard;
    for (const id of ["announcer", "alerter"]) {
      const place = document.getElementById(id);
      if (place) new MutationObserver(() => heard.push((place.textContent ?? "").replaceAll("\u200b", ""))).observe(place, { childList: true, characterData: true, subtree: true });
    }
  });
  return () => page.evaluate(() => (globalThis as { heard?: string[] }).heard ?? []);
}
