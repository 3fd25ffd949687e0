import { answered, newConversation, quiet, recordAnnouncements, send } from "./conversation";
import { fullDiskFor } from "./machine";
import { COLD_START_MS, expect, test, unlock } from "./person";
import { inspect } from "./watched";

/** An answer that could not be saved is tried again each minute. */
const SAVED_MS = 150_000;

test("an answer that cannot be saved says why, also after a reload and a lock, until it is saved", async ({ anna }) => {
  const { page } = anna;
  await page.goto("/");
  await newConversation(page);
  await send(page, "[[say: All is well.]]");
  await answered(page, "All is well.");
  await expect(page.getByText("Saving…")).toHaveCount(0, { timeout: COLD_START_MS });
  await quiet(page);

  const notice = page.locator(".message .notice-warn", { hasText: "This is not saved yet: the disk of the server, or your share of it, is full. Tell the person who runs the server." });
  const heard = await recordAnnouncements(page);
  const hasRoom = await fullDiskFor(anna);
  try {
    await send(page, "Which of my letters are not answered? [[say: Two are: the one of **your landlord**, and the one from the school.]]");
    await answered(page, "Two are");
    await expect(notice).toBeVisible({ timeout: COLD_START_MS });
    expect((await heard()).filter((words) => words.startsWith("This is not saved yet"))).toHaveLength(1);
    await inspect(page, "not-saved");
    await page.reload();
    await expect(notice).toBeVisible({ timeout: COLD_START_MS });

    // A lock cannot save it either, and says so, with what to do; nothing of it is lost.
    await page.getByRole("button", { name: "Lock now" }).click();
    await expect(page.locator(".notice-warn", { hasText: "Not everything that your agent did could be saved before the lock." })).toBeVisible({ timeout: 60_000 });
    await inspect(page, "locked-not-saved");
    await unlock(page, anna.password);
    await expect(notice).toBeVisible({ timeout: COLD_START_MS });
  } finally {
    hasRoom();
  }
  await expect(notice).toHaveCount(0, { timeout: SAVED_MS });
  await expect(page.getByText("Saving…")).toHaveCount(0);
});
