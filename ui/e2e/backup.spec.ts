import { answered, composer, newConversation, quiet, send } from "./conversation";
import { asleep, expect, test } from "./person";
import { inspect } from "./watched";

test("a backup is downloaded while the agent goes on, and restored in the place of what came after it", async ({ anna }) => {
  const { page, password } = anna;
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
  await newConversation(page);
  await send(page, "[[say: Before the backup.]]");
  await answered(page, "Before the backup.");
  await quiet(page);
  await page.goto("/backup");
  const downloading = page.waitForEvent("download", { timeout: 120_000 });
  await page.getByRole("button", { name: "Download a backup" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/^holdfast-.*\.hfb$/);
  const file = await download.path();
  await expect(page.getByText("Your backup is made").first()).toBeVisible();
  await inspect(page, "backup");

  await page.goto("/");
  await expect(composer(page)).toBeVisible();
  await newConversation(page);
  await send(page, "[[say: After the backup.]]");
  await answered(page, "After the backup.");
  await quiet(page);

  await page.goto("/backup");
  await page.getByLabel("Backup file (.hfb)").setInputFiles(file);
  await page.getByLabel("Password of the backup").fill("not the password");
  await page.getByRole("button", { name: "Open and check" }).click();
  await expect(page.locator(".field-error", { hasText: "That does not open this backup." })).toBeVisible({ timeout: 60_000 });
  await page.getByLabel("Password of the backup").fill(password);
  await page.getByRole("button", { name: "Open and check" }).click();
  await expect(page.getByText("is whole:")).toBeVisible({ timeout: 120_000 });
  await inspect(page, "backup-checked");
  await page.getByRole("button", { name: "Replace everything with it" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Replace" }).click();
  const proof = page.getByRole("dialog").filter({ hasText: "Show that it is you" });
  const locked = page.getByRole("heading", { name: "Unlock your vault" });
  await expect(proof.or(locked)).toBeVisible({ timeout: 60_000 });
  if (await proof.isVisible()) {
    await proof.locator("#proof-secret").fill(password);
    await proof.getByRole("button", { name: "Continue" }).click();
  }
  await expect(locked).toBeVisible({ timeout: 240_000 });
  await asleep(page);
  await page.getByLabel("Vault password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Backup", exact: true })).toBeVisible({ timeout: 60_000 });
  await page.goto("/");
  await expect(page.locator(".conversation").first()).toBeVisible({ timeout: 60_000 });
  await expect(page.locator(".conversation", { hasText: "After the backup" })).toHaveCount(0);
  await page.locator(".conversation", { hasText: "Before the backup" }).first().getByRole("link").click();
  await answered(page, "Before the backup.");
});
