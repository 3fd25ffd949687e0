import { expect, join, lock, test, unlock } from "./person";
import { connectService, removeService } from "./services";
import { expectClean, inspect } from "./watched";

test("what is shared is read out of a copy while its owner sleeps, and the copy goes when it is stopped", async ({ anna, browser }, { retry }) => {
  const { page } = anna;
  const dario = await join(anna, browser, "Dario Dahl", `dario.dahl.${retry}@example.org`, "seven slow rivers turning");
  await connectService(page, "planner", "Key of the planner", "planner-canary-0123456789");

  // Anna lets Dario read one part of it while she is asleep; not what is counted or passed on.
  await page.goto("/shared");
  await page.getByRole("button", { name: "Share something" }).click();
  await page.getByLabel("With whom?").selectOption({ label: "Dario Dahl" });
  const asleep = page.getByLabel("They may also read it while I am asleep");
  await page.getByLabel("What?").selectOption("planner");
  await page.getByLabel("Only a part of it? (optional)").fill("/models");
  const sentence = page.getByText("Dario Dahl and their agent may look at what is below /models of planner until");
  await expect(sentence).not.toContainText("asleep");
  await page.getByLabel("How often in all? (optional)").fill("3");
  await expect(asleep).toBeDisabled();
  await page.getByLabel("How often in all? (optional)").fill("");
  await asleep.check();
  await expect(sentence).toContainText("a copy lies in Dario Dahl’s vault. When you stop sharing, Dario Dahl’s agent is told to destroy it; a copy that somebody kept cannot be taken back.");
  await inspect(page, "share-with-copy");
  await page.getByRole("button", { name: "Share", exact: true }).click();
  const given = page.getByRole("listitem").filter({ hasText: "with Dario Dahl" });
  await dario.page.goto("/shared");
  await expect(dario.page.getByText("Copy, as of")).toBeVisible({ timeout: 60_000 });
  await expect(given.getByText("A copy lies in Dario Dahl’s vault")).toBeVisible({ timeout: 60_000 });
  await given.getByRole("button", { name: "Refresh the copy" }).click();
  await expect(given.getByText("A copy lies in Dario Dahl’s vault")).toBeVisible();
  await inspect(page, "copy-given");

  // Anna sleeps: Dario reads the copy, and is told that it is one.
  await lock(page);
  await dario.page.getByRole("button", { name: /^Look at it: planner/ }).click();
  await expect(dario.page.getByLabel("Which part of planner?")).toHaveValue("/models");
  await dario.page.getByRole("button", { name: "Read", exact: true }).click();
  await expect(dario.page.getByText("while Anna Keller’s agent sleeps. It may have changed since.")).toBeVisible({ timeout: 60_000 });
  const answer = dario.page.getByRole("region", { name: /^Answer of planner/ });
  await expect(answer).toContainText("scripted");
  await expect(answer).not.toContainText("planner-canary");
  await inspect(dario.page, "copy-read");

  // Stopped: it is gone where it lay.
  await page.goto("/");
  await unlock(page, anna.password);
  await page.goto("/shared");
  await given.getByRole("button", { name: /^Stop sharing/ }).click({ timeout: 60_000 });
  await page.getByRole("dialog").getByRole("button", { name: "Stop sharing" }).click();
  await expect(given.getByText("is told to destroy it; a copy that somebody kept cannot be taken back")).toBeVisible();
  await expect(dario.page.locator(".row-head", { hasText: "planner" }).getByText("Stopped")).toBeVisible({ timeout: 60_000 });
  await dario.page.goto("/activity");
  await expect(dario.page.getByText("A copy of what Anna Keller shared with you was destroyed")).toBeVisible({ timeout: 60_000 });
  await expect(dario.page.getByText("A copy of what Anna Keller shares with you was read: their agent sleeps")).toBeVisible();
  expectClean(dario);
  await dario.context.close();
  await removeService(page, "planner");
});
