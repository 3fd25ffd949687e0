import type { Locator, Page } from "@playwright/test";
import { aQuarterOfAnHourLater, loseVault } from "./machine";
import { expect, goOnWithThisVault, join, lock, makeVault, type Person, signInByMail, test, unlikeBefore } from "./person";
import { expectClean, inspect } from "./watched";

/** Their own digits, once others can look them up. */
async function ownDigits(page: Page): Promise<string> {
  await page.goto("/trusted");
  const digits = page.getByRole("img", { name: /^Your digits/ });
  await expect(digits).toBeVisible({ timeout: 60_000 });
  return digits.innerText();
}

function row(page: Page, name: string): Locator {
  return page.getByRole("region", { name: "Theirs" }).getByRole("listitem").filter({ hasText: name });
}

async function compare(page: Page, name: string): Promise<string> {
  await page.getByRole("button", { name: `Compare with ${name}` }).click();
  return page.getByRole("img", { name: `Digits of ${name}` }).innerText();
}

test("a vault that was made anew has other keys: nobody takes them unseen, and they are compared again", async ({ anna, browser }, { retry }) => {
  const [at, again] = unlikeBefore(retry);
  const refused = [/status of 403 .*\/api\/v1\/identity$/];
  const nora: Person = await join(anna, browser, `Nora Quist${again}`, `nora@${at}`, "two brass lanterns hum", refused);
  const { name } = nora;
  const before = await ownDigits(nora.page);
  await anna.page.goto("/trusted");
  expect(await compare(anna.page, name), "what Nora reads is what Anna sees").toBe(before);
  await anna.page.getByRole("button", { name: "Yes, the same" }).click();
  await expect(row(anna.page, name)).toContainText("Compared on");

  await lock(nora.page);
  await loseVault(nora);
  // The browser that has opened the vault knows that there was one.
  await nora.page.reload();
  await expect(nora.page.getByText("The server presented an empty vault, but this browser has already opened yours.").first()).toBeVisible({ timeout: 60_000 });
  await inspect(nora.page, "vault-emptied");

  // Nora was told what happened, and makes a new vault in it; it is a while since she signed in there.
  nora.password = "three iron bells ring";
  aQuarterOfAnHourLater(nora);
  await goOnWithThisVault(nora.page, "vault-emptied-asked");
  await makeVault(nora, false);
  await expect(nora.page.getByRole("heading", { name: "Connect a model" })).toBeVisible({ timeout: 60_000 });
  const after = await ownDigits(nora.page);
  expect(after, "other keys").not.toBe(before);
  await expect(nora.page.getByText("Others still see the keys of a vault that you had before.")).toBeVisible();
  await inspect(nora.page, "other-keys-own");
  await anna.page.reload();
  await expect(row(anna.page, name)).toContainText("Compared on", { timeout: 60_000 });

  await nora.page.getByRole("button", { name: "Use the keys of this vault" }).click();
  await expect(nora.page.getByRole("dialog").filter({ hasText: "This needs a sign-in of the last ten minutes" })).toBeVisible();
  await nora.page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  // This browser goes on with the vault that is open.
  await signInByMail(nora.page, nora.email);
  await expect(nora.page.getByLabel("Message", { exact: true })).toBeVisible({ timeout: 60_000 });
  expect(await ownDigits(nora.page)).toBe(after);
  await expect(nora.page.getByText("Others still see the keys of a vault that you had before.")).toHaveCount(0);

  const { page } = anna;
  await page.reload();
  await expect(row(page, name)).toContainText("Their keys have changed", { timeout: 60_000 });
  await page.getByRole("button", { name: `Compare with ${name}` }).click();
  await expect(row(page, name)).toContainText(`The keys of ${name} are not the ones that you know.`);
  await expect(row(page, name), "what is known is not replaced unseen").toContainText(before.replaceAll(/\s+/g, " "));
  await expect(row(page, name)).toContainText(after.replaceAll(/\s+/g, " "));
  await inspect(page, "other-keys");
  // Nothing is sealed for them meanwhile, and the page says why.
  await page.goto("/shared");
  await page.getByRole("button", { name: "Ask somebody" }).click();
  await expect(page.getByText(`${name} is not offered`)).toBeVisible({ timeout: 60_000 });
  await expect(page.locator("option", { hasText: name })).toHaveCount(0);
  await inspect(page, "other-keys-not-offered");

  await page.goto("/trusted");
  await page.getByRole("button", { name: `Compare with ${name}` }).click({ timeout: 60_000 });
  await page.getByRole("button", { name: "Forget the old keys" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Forget", exact: true }).click();
  await expect(row(page, name)).toContainText("Not compared yet");
  expect((await page.getByRole("img", { name: `Digits of ${name}` }).innerText()), "the digits to compare now are those of the new vault").toBe(after);
  await page.getByRole("button", { name: "Yes, the same" }).click();
  await expect(row(page, name)).toContainText("Compared on");
  await page.goto("/");
  await expect(page.getByLabel("Message", { exact: true })).toBeVisible();
  expectClean(nora);
  await nora.context.close();
});
