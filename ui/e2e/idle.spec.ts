import { composer, newConversation, quiet } from "./conversation";
import { expect, prove, test, unlock } from "./person";
import { expectClean, inspect, watchedToo } from "./watched";

/** What a page does by itself, it does at most this often. */
const LOOK = "01:00";

test("a vault locks by itself behind a page that nobody touches, and warns before it does; what was being written is there afterwards", async ({ anna }) => {
  const { page, context, password } = anna;
  await quiet(page);
  // Nobody is at any other page.
  await page.goto("about:blank");
  const left = await watchedToo(context);
  const tab = left.page;
  await tab.clock.install();
  await tab.goto("/locking");
  const choice = tab.getByLabel("Without use, lock after");
  const before = await choice.inputValue();
  await choice.selectOption("1 minute");
  await prove(tab, password, tab.locator(".notice-ok", { hasText: "Your vault locks after 1 minute without use." }));

  // By the page's own links: it stands as it is until the lock.
  await newConversation(tab);
  await composer(tab).fill("left in the middle of");
  const warning = tab.getByRole("alert").filter({ hasText: "Your vault locks soon because it was not used." });
  await expect(warning).toBeVisible({ timeout: 60_000 });
  await inspect(tab, "lock-warning");

  // The page's clock runs ahead, so that it does again and again what it does by itself; the vault's does not.
  await tab.clock.fastForward("05:00");
  const locked = tab.getByRole("heading", { name: "Unlock your vault" });
  await expect
    .poll(
      async () => {
        await tab.clock.fastForward(LOOK);
        return locked.isVisible();
      },
      { timeout: 120_000, intervals: [2_000], message: "the vault locks although the page is open" },
    )
    .toBe(true);
  await expect(tab.getByText("Locked because it was not used for a while.")).toBeVisible();
  await expect(composer(tab)).toHaveCount(0);
  await unlock(tab, password);
  await expect(composer(tab)).toHaveValue("left in the middle of");
  await composer(tab).fill("");
  expectClean(left);
  await tab.close();

  await page.goto("/locking");
  await page.getByLabel("Without use, lock after").selectOption(before);
  await prove(page, password, page.locator(".notice-ok", { hasText: "Your vault locks after" }));
  await page.goto("/");
});
