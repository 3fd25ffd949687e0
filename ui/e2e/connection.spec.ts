import type { Page } from "@playwright/test";
import { answered, answers, composer, newConversation, quiet, recordAnnouncements, send } from "./conversation";
import { CUT, wired } from "./line";
import { control } from "./model";
import { COLD_START_MS, expect, test, unlock } from "./person";
import { expectClean, inspect, watched, watchedToo } from "./watched";

/** Far enough for somebody to press before it. */
const nextTryIsFarAway = (tab: Page): Promise<void> => expect(tab.getByText(/Next try in ([4-9]|\d\d) s/).first()).toBeVisible({ timeout: 30_000 });

test("a connection that breaks while a message is on its way leaves one message, and says how it stands meanwhile", async ({ anna: { context, page, password }, browser }) => {
  // A tab of its own; another one that is connected would send what it cannot.
  await page.goto("about:blank");
  const second = await watchedToo(context, [CUT]);
  const tab = second.page;
  const line = await wired(tab);

  await tab.goto("/");
  await expect(composer(tab)).toBeVisible({ timeout: 60_000 });
  await send(tab, "[[say: Before the tunnel.]]");
  await answered(tab, "Before the tunnel.");
  await quiet(tab);
  const heard = await recordAnnouncements(tab);

  line.mute(true);
  await send(tab, "[[say: Sent into the tunnel.]]");
  await expect(tab.getByText("Sending…")).toBeVisible();
  line.refuse(true);
  await line.cut();
  await expect(tab.locator(".delivery", { hasText: "Delivery unconfirmed." })).toBeVisible();
  await expect(tab.getByText(/Connection lost\. Next try in \d+ s/).first()).toBeVisible();
  await inspect(tab, "unconfirmed");

  // What is typed now waits behind it.
  await send(tab, "[[say: Written in the dark.]]");
  await expect(tab.getByText("Waiting for the connection")).toBeVisible();
  await composer(tab).fill("a thought in the dark");

  // What is lost for a moment only is not spoken of.
  await expect.poll(heard).toContainEqual(expect.stringMatching(/^Connection lost\./));
  await nextTryIsFarAway(tab);
  line.mute(false);
  line.refuse(false);
  await tab.getByRole("button", { name: "Try now" }).first().click();
  await answered(tab, "Sent into the tunnel.");
  await answered(tab, "Written in the dark.");
  await quiet(tab);
  await expect(tab.locator(".message.user")).toHaveCount(3);
  await expect(answers(tab)).toHaveCount(3);
  await expect(composer(tab), "a draft stays where it is").toHaveValue("a thought in the dark");
  await composer(tab).fill("");
  const said = (await heard()).filter((each) => /^(Delivery|Connect|All sent|Sent)/.test(each));
  expect(said, "who cannot see it hears each of it once").toEqual([
    expect.stringMatching(/^Delivery unconfirmed\. The connection was lost/),
    expect.stringMatching(/^Connection lost\. What you write is kept/),
    "Connected again. 2 messages go out now",
    "All sent",
  ]);

  // Another device heard it all, once.
  const { cookies } = await context.storageState();
  const elsewhere = await watched(await browser.newContext({ storageState: { cookies, origins: [] } }));
  const device = elsewhere.page;
  await device.goto(new URL(tab.url()).pathname);
  await unlock(device, password);
  await answered(device, "Written in the dark.");
  await expect(device.locator(".message.user")).toHaveCount(3);
  await quiet(device);

  // What is edited here without a connection is edited there meanwhile: it cannot be sent, and is not lost.
  await composer(tab).press("ArrowUp");
  await tab.getByLabel("Edit your message").fill("[[say: Written too late.]]");
  line.refuse(true);
  await line.cut();
  await expect(tab.getByText(/Connection lost/).first()).toBeVisible();
  await tab.getByRole("button", { name: "Send again", exact: true }).click();
  await expect(tab.getByText("Waiting for the connection")).toBeVisible();
  await composer(device).press("ArrowUp");
  await device.getByLabel("Edit your message").fill("[[say: Written in time.]]");
  await device.getByRole("button", { name: "Send again", exact: true }).click();
  await answered(device, "Written in time.");
  await quiet(device);
  expectClean(elsewhere);
  await elsewhere.context.close();
  await nextTryIsFarAway(tab);
  line.refuse(false);
  await tab.getByRole("button", { name: "Try now" }).first().click();
  const unsent = tab.getByRole("article", { name: "You, not sent" });
  await expect(unsent).toContainText("Not sent. What you wanted to change was changed elsewhere meanwhile.", { timeout: 60_000 });
  await expect(tab.locator("#alerter")).toHaveText(/^Not sent\./);
  await inspect(tab, "not-sent");
  await unsent.getByRole("button", { name: "Retry" }).click();
  await expect(unsent).toContainText("Not sent.");
  await unsent.getByRole("button", { name: "Edit" }).click();
  await expect(unsent).toHaveCount(0);
  await expect(composer(tab)).toHaveValue("[[say: Written too late.]]");
  await composer(tab).press("Enter");
  await answered(tab, "Written too late.");
  expectClean(second);
  await tab.close();
  await page.goto("/");
});

test("two tabs have one outbox: what is typed without a connection goes out once, and what one takes back the other does not send", async ({ anna: { context, page } }) => {
  await page.goto("about:blank");
  const tabs = [await watchedToo(context, [CUT]), await watchedToo(context, [CUT])] as const;
  const [one, two] = [tabs[0].page, tabs[1].page];
  const lines = [await wired(one), await wired(two)];
  await one.goto("/");
  await newConversation(one);
  await send(one, "[[say: Before the storm.]]");
  await answered(one, "Before the storm.");
  await quiet(one);
  const address = new URL(one.url()).pathname;
  await two.goto(address);
  await answered(two, "Before the storm.");

  for (const line of lines) {
    line.refuse(true);
    await line.cut();
  }
  await send(one, "[[say: Never to be said.]]");
  await send(one, "[[say: Said after the storm.]]");
  const waits = two.locator(".outgoing");
  await expect(waits).toHaveCount(2);
  await waits.first().getByRole("button", { name: "Discard" }).click();
  for (const tab of [one, two]) await expect(tab.locator(".outgoing")).toHaveCount(1);

  await one.getByRole("button", { name: "New conversation" }).first().click();
  await send(one, "Begun in the storm. [[say: A new beginning.]]");
  await expect(two.getByText("2 waiting")).toBeVisible();
  // Each tries again by itself.
  for (const line of lines) line.refuse(false);
  await answered(one, "A new beginning.");
  await answered(two, "Said after the storm.");
  for (const tab of [one, two]) {
    await quiet(tab);
    await expect(tab.getByRole("link", { name: /Begun in the storm/ })).toHaveCount(1);
  }
  await expect(one.locator(".message.user")).toHaveCount(1);
  await expect(two.locator(".message.user")).toHaveCount(2);
  await expect(two.getByText("Never to be said.")).toHaveCount(0);
  for (const each of tabs) {
    expectClean(each);
    await each.page.close();
  }
  await page.goto("/");
});

test("an answer goes on while no page is open, and is there, whole, for whoever comes back", async ({ anna: { context, page } }) => {
  await page.goto("about:blank");
  const only = await watchedToo(context);
  await only.page.goto("/");
  await newConversation(only.page);
  await send(only.page, "[[say: This is half of it. ]] [[hold: empty-room]] [[say: And this is the rest.]]");
  await expect(answers(only.page).last()).toContainText("This is half of it.", { timeout: COLD_START_MS });
  const address = new URL(only.page.url()).pathname;
  expectClean(only);
  await only.page.close();
  expect((await control("release/empty-room", "POST")).ok).toBe(true);

  await page.goto(address);
  const answer = await answered(page, "And this is the rest.");
  await expect(answer).toContainText("This is half of it.");
  await expect(answers(page)).toHaveCount(1);
  await quiet(page);
});
