import { answered, newConversation, quiet, send } from "./conversation";
import { noMemoryFor } from "./machine";
import { COLD_START_MS, expect, test } from "./person";
import { inspect } from "./watched";

test("an agent that does not start is said to have failed, and a word to try again brings it up and the message that waits its answer", async ({ anna }) => {
  const { page } = anna;
  await page.goto("/");
  await newConversation(page);
  await send(page, "[[say: All is well.]]");
  await answered(page, "All is well.");
  await quiet(page);

  const failed = page.getByRole("alert").filter({ hasText: "Your agent did not start" });
  const waking = page.getByRole("region", { name: "Your agent is starting" });
  const hasMemory = await noMemoryFor(anna);
  try {
    await expect(waking).toBeVisible({ timeout: 60_000 });
    await send(page, "[[say: Here I am again.]]");
    await expect(failed).toBeVisible({ timeout: COLD_START_MS });
    await expect(failed).toContainText("The agent could not be started: the agent's container does not answer");
    await expect(failed).toContainText("tell the person who runs this server");
  } finally {
    await hasMemory();
  }

  // Sooner than the keeper tries again.
  await failed.getByRole("button", { name: "Try again" }).click();
  await expect(waking).toContainText(/It failed a moment ago, and is tried again in \d seconds?\./);
  await expect(failed).toHaveCount(0);
  // Long before the whole minute that nobody has to wait for; the start itself takes what the machine needs.
  await expect(waking.locator("[aria-current=step]")).toContainText("Starting your agent", { timeout: 20_000 });
  await expect(page.getByText("Agent ready")).toBeVisible({ timeout: COLD_START_MS });
  await answered(page, "Here I am again.");
  await expect(page.locator(".message.user")).toHaveCount(2);
  await expect(page.getByRole("log").getByText("The answer failed.")).toHaveCount(0);
});

test("the card of an agent that did not start stands until it is tried again", async ({ anna }) => {
  const { page } = anna;
  await quiet(page);
  const failed = page.getByRole("alert").filter({ hasText: "Your agent did not start" });
  const hasMemory = await noMemoryFor(anna);
  try {
    await expect(failed).toBeVisible({ timeout: COLD_START_MS });
  } finally {
    await hasMemory();
  }
  await inspect(page, "start-failed");
  await page.reload();
  await answered(page, "Here I am again.");
  await expect(page.getByText("Agent ready")).toBeVisible({ timeout: COLD_START_MS });
});
