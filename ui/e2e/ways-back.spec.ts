import type { Page } from "@playwright/test";
import { expect, join, lock, newPhrase, prove, test, unlikeBefore, withAuthenticator } from "./person";
import { expectClean, inspect, watched } from "./watched";

/** On the unlock page: what is on paper, and a new password. */
async function openWithPaper(page: Page, paper: string, password: string): Promise<void> {
  const field = page.getByLabel("Recovery phrase or backup key");
  const another = page.getByRole("button", { name: "Use another way: phrase or backup key" });
  await expect(field.or(another)).toBeVisible({ timeout: 60_000 });
  if (!(await field.isVisible())) await another.click();
  await field.fill(paper);
  await page.getByLabel("New vault password").fill(password);
  await expect(page.getByText("Very good.")).toBeVisible();
  await page.getByRole("button", { name: "Open my vault" }).click();
}

async function isOpen(page: Page): Promise<void> {
  await expect(page.getByRole("heading", { name: "Ways in", exact: true })).toBeVisible({ timeout: 60_000 });
}

test("who has lost the password comes back with a passkey, with the printed key and with a new phrase; what is old opens nothing", async ({ anna, browser }, { retry }) => {
  const [at, again] = unlikeBefore(retry);
  const gus = await join(anna, browser, `Gus Adler${again}`, `gus@${at}`, "eight copper kettles sing");
  const { page, context } = gus;
  await withAuthenticator(gus);
  await page.goto("/ways-in");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByLabel("What shall it be called?").fill("Gus’s phone");
  await page.getByRole("button", { name: "Save" }).click();
  await prove(page, gus.password, page.locator(".notice-ok", { hasText: "“Gus’s phone” opens your vault" }));
  await page.getByRole("button", { name: "Make a backup key" }).click();
  await page.getByLabel("Where will it be kept?").fill("At the bank");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { name: "Backup key “At the bank”" })).toBeVisible({ timeout: 60_000 });
  const printed = (await page.locator(".backup-key span").allInnerTexts()).join("-");
  await page.getByRole("button", { name: "I have it on paper" }).click();

  // The passkey opens the vault, and is proof enough for a new password.
  await lock(page);
  await page.getByRole("button", { name: "Unlock with a passkey" }).click();
  await isOpen(page);
  await page.reload();
  await page.getByRole("button", { name: "Change “Password”" }).click();
  await page.getByLabel("New vault password").fill("nine tin whistles ring");
  await expect(page.getByText("Very good.")).toBeVisible();
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Use a passkey" }).click();
  await expect(page.locator(".notice-ok", { hasText: "Your password is changed." })).toBeVisible({ timeout: 60_000 });
  await lock(page);
  await page.getByRole("button", { name: "Use your password" }).click();
  await page.getByLabel("Vault password", { exact: true }).fill(gus.password);
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await expect(page.locator(".field-error", { hasText: "That is not the password." })).toBeVisible({ timeout: 60_000 });

  // Another browser, which knows nothing of the vault and lacks what passkeys need: the printed key.
  const { cookies } = await context.storageState();
  const elsewhere = await watched(await browser.newContext({ storageState: { cookies, origins: [] } }));
  await elsewhere.context.addInitScript(() => {
    Object.defineProperty(PublicKeyCredential, "getClientCapabilities", { value: () => Promise.resolve({ "extension:prf": false }) });
  });
  const there = elsewhere.page;
  await there.goto("/ways-in");
  await expect(there.getByText("This browser cannot open a vault with a passkey")).toBeVisible({ timeout: 60_000 });
  await inspect(there, "unlock-no-prf");
  await openWithPaper(there, printed.toLowerCase().replaceAll("-", " "), "ten glass marbles roll");
  await isOpen(there);
  await expect(there.locator("#announcer")).toHaveText(/Your password is changed/, { timeout: 60_000 });
  await expect(there.getByText("This browser cannot open a vault with a passkey")).toBeVisible();
  await expect(there.getByRole("button", { name: "Add a passkey" })).toBeDisabled();

  // A new phrase ends the old one.
  await there.getByRole("link", { name: "Make a new one" }).click();
  const phrase = await newPhrase(there, false);
  expect(phrase).not.toBe(gus.phrase);
  await lock(there);
  await there.goto("/ways-in");
  await openWithPaper(there, gus.phrase, "eleven brass bells toll");
  await expect(there.locator("#phrase-error")).toHaveText("This does not open this vault.", { timeout: 60_000 });
  await openWithPaper(there, phrase, "eleven brass bells toll");
  await isOpen(there);
  await expect(there.locator("#announcer")).toHaveText(/Your password is changed/, { timeout: 60_000 });
  await lock(there);
  await there.getByLabel("Vault password", { exact: true }).fill("eleven brass bells toll");
  await there.getByRole("button", { name: "Unlock", exact: true }).click();
  await isOpen(there);
  for (const each of [gus, elsewhere]) {
    expectClean(each);
    await each.context.close();
  }
});
