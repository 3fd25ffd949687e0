import { answered, newConversation, quiet, send } from "./conversation";
import { expect, lock, test, unlock } from "./person";
import { inspect } from "./watched";

test("the key is changed under an agent that goes on, a time for it is granted and ended, and the rules of locking are kept", async ({ anna: { page, password } }) => {
  await newConversation(page);
  await send(page, "[[say: Sealed under the old key.]]");
  await answered(page, "Sealed under the old key.");
  await quiet(page);
  const address = page.url();

  await page.goto("/locking");
  await page.getByRole("button", { name: "Change the key now" }).click();
  const proof = page.getByRole("dialog");
  await proof.getByLabel("Vault password").fill(password);
  await proof.getByRole("button", { name: "Continue" }).click();
  await expect(page.locator(".notice-ok", { hasText: "The key of your vault is changed." })).toBeVisible({ timeout: 60_000 });
  // Sealing everything anew ends by itself.
  await expect(page.getByRole("button", { name: "Change the key now" })).toBeEnabled({ timeout: 120_000 });
  await expect(page.getByText("All that is stored is sealed under this key.")).toBeVisible();

  await page.getByLabel("For", { exact: true }).selectOption("4 hours");
  await page.getByRole("button", { name: "Allow" }).click();
  await expect(page.getByText(/^Open until/).first()).toBeVisible();
  await expect(page.locator(".status").getByText(/^Open until/)).toBeVisible();
  await inspect(page, "locking");
  await page.getByRole("button", { name: "End it now" }).click();
  await expect(page.locator(".status").getByText(/^Open until/)).toHaveCount(0);
  await page.getByLabel("Without use, lock after").selectOption("2 hours");
  await expect(page.locator(".notice-ok", { hasText: "Your vault locks after 2 hours without use." })).toBeVisible();

  await page.goto("/");
  await lock(page);
  await unlock(page, password);
  await page.goto(address);
  await answered(page, "Sealed under the old key.");
  await send(page, "[[say: Sealed under the new key.]]");
  await answered(page, "Sealed under the new key.");
  await page.goto("/locking");
  await expect(page.getByLabel("Without use, lock after")).toHaveValue("120");
  await page.goto("/");
});
