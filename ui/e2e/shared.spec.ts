import { answered, newConversation, send } from "./conversation";
import { agentAsks } from "./machine";
import { COLD_START_MS, expect, join, lock, test } from "./person";
import { connectService, removeService } from "./services";
import { expectClean, inspect } from "./watched";

test("a service is shared with somebody, who reads it until it is stopped", async ({ anna, browser }) => {
  const { page } = anna;
  const bob = await join(anna, browser, "Bob Brandt", "bob.brandt@example.org", "three quiet lamps burning");
  await connectService(page, "calendar", "Key of the calendar", "calendar-canary-0123456789");

  // Bob asks for it, in words.
  await bob.page.goto("/shared");
  await expect(bob.page.getByText("Nobody shares anything with you.")).toBeVisible({ timeout: 60_000 });
  await inspect(bob.page, "shared-empty");
  await page.goto("/shared");
  await expect(page.getByRole("heading", { name: "You share", exact: true })).toBeVisible({ timeout: 60_000 });
  // Anna's vault is locked when it comes: her page says that something waits, and nothing of what.
  await lock(page);
  await bob.page.getByRole("button", { name: "Ask somebody" }).click();
  await bob.page.getByLabel("Whom?").selectOption({ label: anna.name });
  await bob.page.getByLabel("What would you like?").fill("Your calendar until Friday");
  await inspect(bob.page, "shared-ask");
  await bob.page.getByRole("button", { name: "Ask", exact: true }).click();
  await expect(bob.page.locator(".notice-ok", { hasText: "When Anna Keller shares something" })).toBeVisible();
  await bob.page.getByRole("button", { name: "Close", exact: true }).click();

  const waits = page.getByText("Another agent has sent you something. Unlock to see what it is and to answer.");
  await expect(async () => {
    await page.reload();
    await expect(waits).toBeVisible({ timeout: 3_000 });
  }).toPass({ timeout: 60_000 });
  expect(await page.content()).not.toContain("Your calendar until Friday");
  await inspect(page, "locked-something-waits");

  // Anna unlocks and sees it, and shares, by the keyboard.
  await page.getByLabel("Vault password", { exact: true }).fill(anna.password);
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await expect(waits).toHaveCount(0, { timeout: 60_000 });
  const asks = page.locator(".row-name", { hasText: "Bob Brandt asks" });
  await expect(asks).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText("Your calendar until Friday")).toBeVisible();
  await inspect(page, "shared-asked");
  await page.getByRole("button", { name: "Share something with Bob Brandt" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("With whom?")).toBeFocused();
  await expect(page.getByText("You have not compared digits with Bob Brandt")).toBeVisible();
  await page.getByLabel("What?").selectOption("calendar");
  await expect(page.getByText("Bob Brandt and their agent may look at calendar until")).toBeVisible();
  await inspect(page, "shared-form");
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await expect(page.getByText("calendar with Bob Brandt")).toBeVisible();
  await expect(asks).toHaveCount(0);

  // Bob sees it come, and looks at it.
  await expect(bob.page.getByText("calendar of Anna Keller")).toBeVisible({ timeout: 60_000 });
  await bob.page.getByRole("button", { name: "Look at it: calendar of Anna Keller" }).click();
  await bob.page.getByLabel("Which part of calendar?").fill("/models");
  await bob.page.getByRole("button", { name: "Read", exact: true }).click();
  const answer = bob.page.getByRole("region", { name: "Answer of calendar of Anna Keller" });
  await expect(answer).toContainText("scripted", { timeout: 60_000 });
  await expect(answer).not.toContainText("calendar-canary");
  await inspect(bob.page, "shared-received");
  await expect(page.getByRole("listitem").filter({ hasText: "calendar with Bob Brandt" }).getByText("Used once")).toBeVisible({ timeout: 60_000 });
  await inspect(page, "shared-given");

  // Anna's agent goes wild at it: it is paused until she lets it go on, and Bob is not.
  expect(await agentAsks(anna, "/x/calendar/models", 201)).toBe(429);
  await page.goto("/inbox");
  const paused = page.getByRole("group", { name: "Your agent asked calendar more than 200 times in an hour" });
  await expect(paused).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText("Waiting for you (1)")).toBeVisible();
  await inspect(page, "inbox-paused");
  await bob.page.getByRole("button", { name: "Read", exact: true }).click();
  await expect(answer).toContainText("scripted", { timeout: 60_000 });
  await paused.getByRole("button", { name: "Let it go on" }).click();
  await expect(paused).toHaveCount(0);
  expect(await agentAsks(anna, "/x/calendar/models", 1)).toBe(200);
  await page.goto("/activity");
  const week = page.getByRole("region", { name: "This week" });
  await expect(week).toContainText("Your agent asked calendar 201 times; paused once");
  await expect(week).toContainText("Bob Brandt’s agent asked calendar 2 times");
  await inspect(page, "activity-week");
  await page.goto("/shared");

  // Stopped: Bob's next look is refused, and his page says so.
  await page.getByRole("button", { name: "Stop sharing calendar with Bob Brandt" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop sharing" }).click();
  await expect(page.locator(".row-head", { hasText: "calendar with Bob Brandt" }).getByText("Stopped")).toBeVisible();
  await expect(bob.page.locator(".row-head", { hasText: "calendar of Anna Keller" }).getByText("Stopped")).toBeVisible({ timeout: 60_000 });
  await bob.page.getByRole("button", { name: "Remove from the list: calendar of Anna Keller" }).click();
  await expect(bob.page.getByText("Nobody shares anything with you.")).toBeVisible();

  // Asked to do it, her agent asks her, and she is told that she does not know yet whether it is Bob.
  await page.goto("/");
  await newConversation(page);
  await send(page, 'Share my calendar with Bob until tomorrow. [[tool: holdfast__issue_capability {"with":"Bob Brandt","service":"calendar","path":"/models","hours":24}]] [[say: It is shared.]]');
  const card = page.getByRole("region", { name: /^Your agent wants to share calendar \(only \/models\) with Bob Brandt/ });
  await expect(card).toContainText("You have not compared digits with Bob Brandt", { timeout: COLD_START_MS });
  await expect(card.getByRole("img", { name: /^Digits of Bob Brandt: / })).toBeVisible();
  await inspect(page, "approval-share");
  await card.getByRole("button", { name: "Allow once" }).click();
  await answered(page, "It is shared.");
  await expect(bob.page.getByText("calendar (only /models) of Anna Keller")).toBeVisible({ timeout: 60_000 });
  expectClean(bob);
  await bob.context.close();

  await removeService(page, "calendar");
});
