import type { Page, WebSocket } from "@playwright/test";
import { mailedLink, mailedLinks } from "./mail";
import { refusedOnPurpose, signIn } from "./operator";
import { expect, join, signedInAfresh, signInByMail, test, unlikeBefore } from "./person";
import { expectClean, inspect, watched } from "./watched";

/** How many sockets a page has open, of those that it opens from now on. */
function openSockets(page: Page): () => number {
  const all: WebSocket[] = [];
  page.on("websocket", (socket) => all.push(socket));
  return () => all.filter((socket) => !socket.isClosed()).length;
}

/** Clicks on what ends a session, and sees that what is open for it is closed within a second of the answer. */
async function closes(open: () => number, page: Page, route: RegExp, click: () => Promise<void>): Promise<void> {
  await expect.poll(open).toBe(1);
  const answered = page.waitForResponse((response) => response.request().method() !== "GET" && route.test(response.url()));
  await click();
  await answered;
  await expect.poll(open, { timeout: 1000, intervals: [20] }).toBe(0);
}

test("a member ends their sessions, the operator pauses, wakes and puts to sleep their cell, and the owner suspends and removes them", async ({ anna, browser }, { retry }) => {
  const [at, again] = unlikeBefore(retry);
  const name = `Emil Kraft${again}`;
  const email = `emil@${at}`;
  const emil = await join(anna, browser, name, email, "nine slow boats drift", [/status of 401 .*\/api\/v1\//]);
  const { page } = emil;

  /** Signed in by mail in one more browser. */
  const elsewhere = async () => {
    const other = await watched(await browser.newContext());
    const open = openSockets(other.page);
    await signInByMail(other.page, email);
    await expect(other.page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
    return { ...other, open };
  };
  const lets = async (context: { request: { get(path: string): Promise<{ status(): number }> } }) => (await context.request.get("/api/v1/me")).status();

  await test.step("one session ends, then all others", async () => {
    const one = await elsewhere();
    await page.goto("/security");
    const devices = page.getByRole("region", { name: "Where you are signed in" });
    await expect(devices.getByRole("listitem")).toHaveCount(2);
    await inspect(page, "sessions");
    await closes(one.open, page, /\/sessions\/[^/]+$/, () => devices.getByRole("listitem").filter({ hasNotText: "(this one)" }).getByRole("button").click());
    await expect(devices.getByRole("listitem")).toHaveCount(1);
    expect(await lets(one.context)).toBe(401);
    await one.context.close();

    const other = await elsewhere();
    await page.reload();
    await expect(devices.getByRole("listitem")).toHaveCount(2);
    await closes(other.open, page, /\/sessions$/, () => devices.getByRole("button", { name: "Sign out everywhere else" }).click());
    await expect(page.getByText("One other device is signed out.").first()).toBeVisible();
    await expect(devices.getByRole("listitem")).toHaveCount(1);
    expect(await lets(other.context)).toBe(401);
    await other.context.close();
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
    const until = (state: string, button: string, sure: string): Promise<void> =>
      expect(async () => {
        if (!(await row.textContent())?.includes(state)) await act(button, sure);
        await expect(row).toContainText(state, { timeout: 10_000 });
      }).toPass({ timeout: 180_000 });
    await until("Paused", "Pause", "Pause");
    await inspect(admin, "operator-cells-paused");
    await act("Wake", "Wake");
    await expect(row).toContainText("Awake", { timeout: 60_000 });
    await until("Asleep", "Sleep", "Put to sleep");
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
    await page.goto("/sign-in");
    const ask = async (): Promise<void> => {
      await page.getByLabel("E-mail address").fill(email);
      await page.getByRole("button", { name: "Send me a link" }).click();
      await expect(page.getByRole("heading", { name: "Look in your mail" })).toBeVisible();
    };
    const before = await mailedLink(email, "sign-in", ask);
    const open = openSockets(page);
    await page.goto("/");
    await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
    await people.goto("/people");
    const row = people.getByRole("listitem").filter({ hasText: email });
    const dialog = people.getByRole("dialog");
    await row.getByRole("button", { name: `Suspend ${name}` }).click();
    await expect(dialog).toContainText(/They lose at once: 1 sign-in \(\w+ on Linux\), 1 sign-in link, whatever they share and is shared with them, the use of their agent\./);
    await inspect(people, "suspend");
    // Called off, nothing is lost.
    await dialog.getByRole("button", { name: "Cancel" }).click();
    expect(await lets(emil.context)).toBe(200);
    await row.getByRole("button", { name: `Suspend ${name}` }).click();
    await closes(open, people, /\/suspend$/, () => dialog.getByRole("button", { name: "Suspend" }).click());
    await expect(people.getByText(new RegExp(`${name} is suspended. Ended: 1 sign-in \\(\\w+ on Linux\\), 1 sign-in link, whatever they share`)).first()).toBeVisible({ timeout: 60_000 });
    await expect(row).toContainText("suspended");
    expect(await lets(emil.context)).toBe(401);
    await inspect(people, "suspended");
    // A link that they have does not let them in, and they get no other.
    const links = mailedLinks(email);
    await page.goto(before);
    await expect(page.getByText("That link has been used")).toBeVisible();
    await ask();

    await row.getByRole("button", { name: `Let back in ${name}` }).click();
    await expect(people.getByText(`${name} may sign in again.`).first()).toBeVisible();
    const back = await elsewhere();
    expect(mailedLinks(email), "the one that was asked for just now alone").toBe(links + 1);
    await row.getByRole("button", { name: `Remove ${name}` }).click();
    await expect(dialog).toContainText("They lose at once: 1 sign-in (");
    await inspect(people, "remove");
    await dialog.getByRole("button", { name: "Remove for ever" }).click();
    await expect(people.getByText(`${name} is removed. Ended: 1 sign-in (`).first()).toBeVisible({ timeout: 60_000 });
    await expect(row).toHaveCount(0);
    expect(await lets(back.context)).toBe(401);
    await back.context.close();
    expectClean(managing);
    await managing.context.close();
    expectClean(emil);
  });
  await emil.context.close();
});
