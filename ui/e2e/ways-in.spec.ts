import { answered, newConversation, quiet, send } from "./conversation";
import { expect, lock, test, unlock, withAuthenticator } from "./person";
import { inspect } from "./watched";

test("a passkey is added, opens the vault first, is checked and removed; a printed key opens it too", async ({ anna }) => {
  const { page, password } = anna;
  const takeAway = await withAuthenticator(anna);
  await newConversation(page);
  await send(page, "[[say: Behind every way in.]]");
  await answered(page, "Behind every way in.");
  await quiet(page);

  await page.goto("/ways-in");
  await expect(page.getByRole("heading", { name: "Ways in" })).toBeVisible();
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByLabel("What shall it be called?").fill("Test key");
  await page.getByRole("button", { name: "Save" }).click();
  // The page was loaded anew, so its connection has proved nothing yet.
  const proof = page.getByRole("dialog");
  await expect(proof.getByRole("heading", { name: "Show that it is you" })).toBeVisible();
  await proof.getByLabel("Vault password").fill("not the password");
  await proof.getByRole("button", { name: "Continue" }).click();
  await expect(proof.locator(".field-error")).toContainText("That is not the password", { timeout: 60_000 });
  await inspect(page, "proof");
  await proof.getByLabel("Vault password").fill(password);
  await proof.getByRole("button", { name: "Continue" }).click();
  await expect(page.locator(".notice-ok", { hasText: "“Test key” opens your vault" })).toBeVisible({ timeout: 60_000 });

  await page.getByRole("button", { name: "Make a backup key" }).click();
  await page.getByLabel("Where will it be kept?").fill("In the safe");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { name: "Backup key “In the safe”" })).toBeVisible({ timeout: 60_000 });
  const printed = (await page.locator(".backup-key span").allInnerTexts()).join("-");
  expect(printed).toMatch(/^HFK1(-[0-9A-Z]{4}){14}$/);
  await inspect(page, "backup-key");
  await page.getByRole("button", { name: "I have it on paper" }).click();
  expect(await page.content()).not.toContain(printed.slice(5, 9) + "</span>");
  await inspect(page, "ways-in");

  // It opens a backup, too, before anything is typed.
  await page.goto("/backup");
  const downloading = page.waitForEvent("download", { timeout: 120_000 });
  await page.getByRole("button", { name: "Download a backup" }).click();
  const backup = await (await downloading).path();
  await expect(page.getByText("Your backup is made").first()).toBeVisible();
  await page.getByLabel("Backup file (.hfb)").setInputFiles(backup);
  await page.getByRole("button", { name: "Open with a passkey and check" }).click();
  await expect(page.getByText("is whole:")).toBeVisible({ timeout: 120_000 });
  await inspect(page, "backup-passkey-checked");
  await page.getByRole("button", { name: "Cancel" }).click();

  // The passkey comes first, and opens the vault by itself.
  await page.goto("/");
  await lock(page);
  const withPasskey = page.getByRole("button", { name: "Unlock with a passkey" });
  await expect(withPasskey).toBeVisible({ timeout: 60_000 });
  await inspect(page, "unlock-passkey");
  await withPasskey.click();
  await expect(page.getByLabel("Message", { exact: true })).toBeVisible({ timeout: 60_000 });

  await page.goto("/ways-in");
  await page.getByRole("button", { name: "Check “In the safe”" }).click();
  await proof.getByLabel("Backup key").fill(printed.toLowerCase().replaceAll("-", " "));
  await proof.getByRole("button", { name: "Check" }).click();
  await expect(page.locator(".notice-ok", { hasText: "“In the safe” is right" })).toBeVisible({ timeout: 60_000 });

  // The one that was checked a moment ago proves both; it goes last.
  for (const name of ["Test key", "In the safe"]) {
    await page.getByRole("button", { name: `Remove “${name}”` }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await expect(page.locator(".notice-ok", { hasText: `“${name}” does not open your vault any more` })).toBeVisible({ timeout: 60_000 });
  }
  await takeAway();
  // This browser came in with the passkey, so its ticket went with it.
  await page.goto("/");
  await unlock(page, password);
});

test("a passkey that cannot make a key is told in plain words", async ({ anna }) => {
  const { page, password } = anna;
  const takeAway = await withAuthenticator(anna, false);
  await page.goto("/ways-in");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").getByLabel("Vault password").fill(password);
  await page.getByRole("dialog").getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "cannot make a key" })).toBeVisible({ timeout: 60_000 });
  await inspect(page, "no-prf");
  await takeAway();
  await page.goto("/");
});
