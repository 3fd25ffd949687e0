import { answered, composer, newConversation, quiet, send } from "./conversation";
import { expect, join, lock, prove, signedInAfresh, test, unlikeBefore, unlock } from "./person";
import { expectClean, inspect, watchedToo } from "./watched";

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
  await expect(composer(page)).toBeVisible();
});

test("an owner says how long agents may work alone, and no page offers more, no vault grants more, and what was granted for longer is cut", async ({ anna, browser }, { retry }) => {
  const [at, again] = unlikeBefore(retry);
  const lea = await join(anna, browser, `Lea Brandt${again}`, `lea@${at}`, "eight copper kettles sing");
  const { page } = lea;
  const hours = page.getByLabel("For", { exact: true });
  const open = page.getByText(/^Open until/).first();
  await page.goto("/locking");
  await expect(page.getByLabel("Without use, lock after").locator("option:checked")).toHaveText("30 minutes, as this server has it");
  await expect(hours.locator("option")).toHaveText(["1 hour", "4 hours", "8 hours", "24 hours"]);
  await hours.selectOption("24 hours");
  await page.getByRole("button", { name: "Allow" }).click();
  await prove(page, lea.password, page.locator(".notice-ok", { hasText: "Your vault stays open for 24 hours." }));
  const granted = await open.innerText();

  const own = await signedInAfresh(browser, anna);
  await own.page.goto("/security");
  const most = own.page.getByLabel("At most", { exact: true });
  await expect(most).toHaveValue("24");
  const decide = async (words: string) => {
    await most.selectOption(words);
    await expect(own.page.locator(".notice-ok", { hasText: `Agents may work alone for ${words} at most.` })).toBeVisible();
  };
  try {
    await decide("8 hours");
    await inspect(own.page, "time-alone");
    await page.reload();
    await expect(open).toBeVisible({ timeout: 60_000 });
    await expect(open, "what was granted before is cut").not.toHaveText(granted);
    await page.getByRole("button", { name: "End it now" }).click();
    await expect(hours.locator("option")).toHaveText(["1 hour", "4 hours", "8 hours"]);
    await expect(page.getByText("Your organisation allows 8 hours at most.")).toBeVisible();
    await inspect(page, "locking-ceiling");

    // This page still offers what the vault has heard of elsewhere that it is too long.
    await decide("1 hour");
    const other = await watchedToo(lea.context);
    await other.page.goto("/locking");
    await expect(other.page.getByText("Your organisation allows 1 hour at most.")).toBeVisible({ timeout: 60_000 });
    await hours.selectOption("8 hours");
    await page.getByRole("button", { name: "Allow" }).click();
    await prove(page, lea.password, page.getByRole("alert").filter({ hasText: "An agent may work alone for 1 hour at most" }));
    await expect(hours.locator("option")).toHaveText(["1 hour"]);
    await expect(page.locator(".status").getByText(/^Open until/)).toHaveCount(0);
    expectClean(other);
  } finally {
    await decide("24 hours");
    await own.context.close();
  }
  await page.reload();
  await expect(hours.locator("option")).toHaveText(["1 hour", "4 hours", "8 hours", "24 hours"], { timeout: 60_000 });
  expectClean(lea);
  expectClean(own);
  await lea.context.close();
});
