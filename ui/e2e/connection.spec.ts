import { answered, answers, composer, newConversation, quiet, send } from "./conversation";
import { CUT, wired } from "./line";
import { control } from "./model";
import { COLD_START_MS, expect, test } from "./person";
import { expectClean, inspect, watchedToo } from "./watched";

test("a connection that breaks while a message is on its way leaves one message, and says how it stands meanwhile", async ({ anna: { context, page } }) => {
  // A second tab; the first one goes on beside it.
  const second = await watchedToo(context, [CUT]);
  const tab = second.page;
  const line = await wired(tab);

  await tab.goto("/");
  await expect(composer(tab)).toBeVisible({ timeout: 60_000 });
  await send(tab, "[[say: Before the tunnel.]]");
  await answered(tab, "Before the tunnel.");
  await quiet(tab);

  line.mute(true);
  await send(tab, "[[say: Sent into the tunnel.]]");
  await expect(tab.getByText("Sending…")).toBeVisible();
  line.refuse(true);
  await line.cut();
  await expect(tab.getByText(/Delivery unconfirmed/)).toBeVisible();
  await expect(tab.getByText(/Connection lost\. Next try in \d+ s/).first()).toBeVisible();
  await inspect(tab, "unconfirmed");

  // What is typed now waits behind it.
  await send(tab, "[[say: Written in the dark.]]");
  await expect(tab.getByText("Waiting for the connection")).toBeVisible();

  // The next try by itself is far enough away for somebody to press before it.
  await expect(tab.getByText(/Next try in ([4-9]|\d\d) s/).first()).toBeVisible({ timeout: 30_000 });
  line.mute(false);
  line.refuse(false);
  await tab.getByRole("button", { name: "Try now" }).first().click();
  await answered(tab, "Sent into the tunnel.");
  await answered(tab, "Written in the dark.");
  await quiet(tab);
  await expect(tab.locator(".message.user")).toHaveCount(3);
  await expect(answers(tab)).toHaveCount(3);

  // The first tab heard it all, once.
  await page.goto(new URL(tab.url()).pathname);
  await answered(page, "Written in the dark.");
  await expect(page.locator(".message.user")).toHaveCount(3);
  await quiet(page);

  // What is edited here without a connection is edited there meanwhile: it cannot be sent, and is not lost.
  await composer(tab).press("ArrowUp");
  await tab.getByLabel("Edit your message").fill("[[say: Written too late.]]");
  line.refuse(true);
  await line.cut();
  await expect(tab.getByText(/Connection lost/).first()).toBeVisible();
  await tab.getByRole("button", { name: "Send again", exact: true }).click();
  await expect(tab.getByText("Waiting for the connection")).toBeVisible();
  await composer(page).press("ArrowUp");
  await page.getByLabel("Edit your message").fill("[[say: Written in time.]]");
  await page.getByRole("button", { name: "Send again", exact: true }).click();
  await answered(page, "Written in time.");
  await quiet(page);
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
