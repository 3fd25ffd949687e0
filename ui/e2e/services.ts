/** Services that the scripted model answers as. */
import { expect, type Page } from "@playwright/test";
import { isSecret } from "./canaries";

/** Where it answers. */
export async function demoAddress(page: Page): Promise<string> {
  const instance = (await (await page.request.get("/api/v1/instance")).json()) as { demo_model: { base_url: string } };
  return instance.demo_model.base_url;
}

export async function addSecret(page: Page, name: string, value: string): Promise<void> {
  isSecret("a secret", value);
  await page.goto("/secrets");
  await page.getByRole("button", { name: "Add a secret" }).click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.locator("#secret-value").fill(value);
  await page.getByRole("button", { name: "Add secret", exact: true }).click();
}

/** A service that asks before it changes something, with a secret of its own. */
export async function connectService(page: Page, name: string, secret: string, value: string): Promise<void> {
  const address = await demoAddress(page);
  await addSecret(page, secret, value);
  await page.goto("/services");
  await page.getByRole("button", { name: "Connect a service" }).click();
  await page.getByLabel("Short name").fill(name);
  await page.getByLabel("Address", { exact: true }).fill(address);
  await page.getByLabel("Secret", { exact: true }).selectOption({ label: secret });
  await expect(page.getByLabel("Ask me before it changes anything there")).toBeChecked();
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  const row = page.getByRole("listitem").filter({ has: page.getByRole("button", { name: `Remove “${name}”` }) });
  await expect(row.getByText("Asks before it changes")).toBeVisible();
}

export async function removeService(page: Page, name: string): Promise<void> {
  await page.goto("/services");
  const remove = page.getByRole("button", { name: `Remove “${name}”` });
  await remove.click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(remove).toHaveCount(0);
}
