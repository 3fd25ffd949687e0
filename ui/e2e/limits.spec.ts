import type { Locator, Page } from "@playwright/test";
import { answered, newConversation, quiet, send } from "./conversation";
import { expect, test } from "./person";
import { inspect } from "./watched";

/** The agent tries to fetch a page; what it was told. */
async function fetches(page: Page, url: string): Promise<Locator> {
  await newConversation(page);
  await send(page, `[[tool: exec {"command":"curl -sS -m 30 ${url}"}]] [[say: I have tried.]]`);
  const answer = await answered(page, "I have tried.");
  await answer.locator("details.tool summary").click();
  await quiet(page);
  return answer.getByRole("region", { name: "Output" });
}

async function mayConnect(page: Page, mode: string, hosts?: string): Promise<void> {
  await page.goto("/services");
  await page.getByText(mode, { exact: true }).click();
  if (hosts !== undefined) await page.getByLabel("Hosts, one a line").fill(hosts);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.locator(".notice-ok", { hasText: "Saved." })).toBeVisible();
}

test("the agent connects only where its owner lets it, and what was refused is said to it and noted", async ({ anna: { page } }) => {
  await mayConnect(page, "Only to these", "*.pages.example");
  await inspect(page, "egress-allow-list");
  // Allowed, and there is no such name.
  await expect(await fetches(page, "http://a.pages.example/")).toContainText("is not known");
  await expect(await fetches(page, "http://elsewhere.example/")).toContainText("the owner of this vault has not allowed elsewhere.example:80");
  await mayConnect(page, "Nowhere");
  await expect(await fetches(page, "http://a.pages.example/")).toContainText("the owner of this vault has not allowed a.pages.example:80");
  await mayConnect(page, "Anywhere on the internet");
  await expect(await fetches(page, "http://10.0.0.1/")).toContainText("address_refused");
  await page.goto("/activity");
  await page.getByText("Refused", { exact: true }).click();
  for (const words of [/tried to reach elsewhere\.example:80: not on the list/, /tried to reach a\.pages\.example:80: nothing is allowed/, /tried to reach 10\.0\.0\.1:80/]) await expect(page.locator(".log").getByText(words).first()).toBeVisible();
  await inspect(page, "activity-refused");
  await page.goto("/");
});
