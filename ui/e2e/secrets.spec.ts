import { composer } from "./conversation";
import { expect, test } from "./person";
import { inspect } from "./watched";

test("a secret that the agent may see is warned of, exported after a fresh proof, and brought in again", async ({ anna: { page, password } }) => {
  await page.goto("/secrets");
  await page.getByRole("button", { name: "Add a secret" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Bot of the team");
  await page.locator("#secret-value").fill("bot-canary-0123456789");
  await page.getByText("My agent may see it").click();
  await expect(page.getByText("What your agent has read, you cannot take back")).toBeVisible();
  await inspect(page, "secret-see");
  await page.getByRole("button", { name: "Add secret", exact: true }).click();
  await expect(page.locator(".row-head", { hasText: "Bot of the team" }).getByText("My agent may see it")).toBeVisible();

  await page.getByRole("link", { name: "Export", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Export secrets" })).toBeVisible();
  await page.getByText("Readable, as JSON").click();
  await expect(page.getByText("Whoever gets this file has all your secrets")).toBeVisible();
  await inspect(page, "export-readable");
  await page.getByText("Encrypted, with a password for this file").click();
  await page.getByRole("textbox", { name: "Password for this file" }).fill("nine green boats under rain");
  await expect(page.getByText("Very good.")).toBeVisible();
  await page.getByLabel("The same once more").fill("nine green boats under rain");
  await inspect(page, "export");
  const downloading = page.waitForEvent("download", { timeout: 120_000 });
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const proof = page.getByRole("dialog").filter({ hasText: "Show that it is you" });
  const done = page.locator(".notice-ok", { hasText: "exported" });
  await expect(proof.or(done)).toBeVisible({ timeout: 60_000 });
  if (await proof.isVisible()) {
    await proof.locator("#proof-secret").fill(password);
    await proof.getByRole("button", { name: "Continue" }).click();
  }
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/^holdfast-secrets-.*\.hfs$/);
  await expect(done).toBeVisible();

  await page.goto("/secrets/import");
  await page.getByLabel("File", { exact: true }).setInputFiles(await download.path());
  await page.getByLabel("Password of the file").fill("not the password");
  await page.getByRole("button", { name: "Open the file" }).click();
  await expect(page.locator(".field-error", { hasText: "not the password of this file" })).toBeVisible({ timeout: 60_000 });
  await page.getByLabel("Password of the file").fill("nine green boats under rain");
  await page.getByRole("button", { name: "Open the file" }).click();
  await expect(page.getByText("Bot of the team")).toBeVisible({ timeout: 60_000 });
  await inspect(page, "import-exported");
  await page.getByRole("button", { name: "Cancel" }).click();

  await page.goto("/secrets");
  await page.getByRole("button", { name: "Delete “Bot of the team”" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("Bot of the team")).toHaveCount(0);
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
});
