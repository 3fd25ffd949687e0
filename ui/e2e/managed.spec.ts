import { refusedOnPurpose, signIn } from "./operator";
import { expect, join, signedInAfresh, signInByMail, test, unlikeBefore } from "./person";
import { expectClean, inspect, watched } from "./watched";

test("a member ends their sessions, the operator pauses, wakes and puts to sleep their cell, and the owner suspends and removes them", async ({ anna, browser }, { retry }) => {
  const [at, again] = unlikeBefore(retry);
  const name = `Emil Kraft${again}`;
  const email = `emil@${at}`;
  const emil = await join(anna, browser, name, email, "nine slow boats drift");
  const { page } = emil;

  /** Signed in by mail in one more browser. */
  const elsewhere = async () => {
    const other = await watched(await browser.newContext());
    await signInByMail(other.page, email);
    await expect(other.page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
    return other;
  };
  const lets = async (context: { request: { get(path: string): Promise<{ status(): number }> } }) => (await context.request.get("/api/v1/me")).status();

  await test.step("one session ends, then all others", async () => {
    const one = await elsewhere();
    await page.goto("/security");
    const devices = page.getByRole("region", { name: "Where you are signed in" });
    await expect(devices.getByRole("listitem")).toHaveCount(2);
    await inspect(page, "sessions");
    await devices.getByRole("listitem").filter({ hasNotText: "(this one)" }).getByRole("button").click();
    await expect(devices.getByRole("listitem")).toHaveCount(1);
    expect(await lets(one.context)).toBe(401);
    await one.context.close();

    const others = [await elsewhere(), await elsewhere()];
    await page.reload();
    await expect(devices.getByRole("listitem")).toHaveCount(3);
    await devices.getByRole("button", { name: "Sign out everywhere else" }).click();
    await expect(page.getByText("2 other devices are signed out.").first()).toBeVisible();
    await expect(devices.getByRole("listitem")).toHaveCount(1);
    for (const { context } of others) {
      expect(await lets(context)).toBe(401);
      await context.close();
    }
    expect(await lets(emil.context)).toBe(200);
    expectClean(emil);
    // Nobody is at the cell from here on; their session stays.
    await page.goto("about:blank");
  });

  await test.step("the operator pauses, wakes and puts to sleep", async () => {
    const operator = await watched(await browser.newContext(), [/status of 409 .*\/api\/v1\/operator\/cells/]);
    const admin = operator.page;
    await signIn(operator);
    refusedOnPurpose(operator);
    await admin.getByRole("link", { name: "Cells", exact: true }).click();
    await admin.getByLabel("Find cells").fill(email);
    const row = admin.getByRole("row").filter({ hasText: email });
    const act = async (button: string, sure: string): Promise<void> => {
      await admin.getByRole("button", { name: `${button} the cell of ${name}` }).click();
      await admin.getByRole("dialog").getByRole("button", { name: sure, exact: true }).click();
    };
    // One that is in the middle of something, such as starting its agent, is left alone, and says so.
    await expect(async () => {
      await act("Pause", "Pause");
      await expect(row).toContainText("Paused", { timeout: 10_000 });
    }).toPass({ timeout: 180_000 });
    await inspect(admin, "operator-cells-paused");
    await act("Wake", "Wake");
    await expect(row).toContainText("Awake", { timeout: 60_000 });
    await act("Sleep", "Put to sleep");
    await expect(row).toContainText("Asleep", { timeout: 120_000 });
    await act("Wake", "Wake");
    await expect(row).toContainText("Awake", { timeout: 120_000 });
    await admin.getByRole("link", { name: "Audit" }).click();
    for (const words of ["paused", "put to sleep", "woke"]) await expect(admin.getByText(`${words} the cell of ${name}`).first()).toBeVisible();
    expectClean(operator);
    await operator.context.close();
  });

  await test.step("the owner sees what they lose, suspends them, lets them back in, and removes them", async () => {
    const managing = await signedInAfresh(browser, anna);
    const people = managing.page;
    await people.goto("/people");
    const row = people.getByRole("listitem").filter({ hasText: email });
    const dialog = people.getByRole("dialog");
    await row.getByRole("button", { name: `Suspend ${name}` }).click();
    await expect(dialog).toContainText("They lose at once: 1 sign-in, whatever they share and is shared with them, the use of their agent.");
    await inspect(people, "suspend");
    // Called off, nothing is lost.
    await dialog.getByRole("button", { name: "Cancel" }).click();
    expect(await lets(emil.context)).toBe(200);
    await row.getByRole("button", { name: `Suspend ${name}` }).click();
    await dialog.getByRole("button", { name: "Suspend" }).click();
    await expect(people.getByText(`${name} is suspended. Ended: 1 sign-in, whatever they share`).first()).toBeVisible({ timeout: 60_000 });
    await expect(row).toContainText("suspended");
    expect(await lets(emil.context)).toBe(401);
    await inspect(people, "suspended");

    await row.getByRole("button", { name: `Let back in ${name}` }).click();
    await expect(people.getByText(`${name} may sign in again.`).first()).toBeVisible();
    const back = await elsewhere();
    await row.getByRole("button", { name: `Remove ${name}` }).click();
    await expect(dialog).toContainText("They lose at once: 1 sign-in, ");
    await inspect(people, "remove");
    await dialog.getByRole("button", { name: "Remove for ever" }).click();
    await expect(people.getByText(`${name} is removed. Ended: 1 sign-in, `).first()).toBeVisible({ timeout: 60_000 });
    await expect(row).toHaveCount(0);
    expect(await lets(back.context)).toBe(401);
    await back.context.close();
    expectClean(managing);
    await managing.context.close();
  });
  await emil.context.close();
});
