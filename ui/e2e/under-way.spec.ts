import { answered, answers, composer, newConversation, quiet, recordAnnouncements, send } from "./conversation";
import { CUT, wired } from "./line";
import { control } from "./model";
import { asleep, COLD_START_MS, expect, test } from "./person";
import { expectAccessible, expectClean, inspect, shot, watchedToo } from "./watched";

/** Words that say what is done, and for how many seconds already. */
const counted = (words: string): RegExp => new RegExp(`${words}…\\s+\\d+ s`);

test("whoever waits for their vault is told what is done, and for how many seconds already", async ({ anna: { context, page, password } }) => {
  await page.goto("about:blank");
  const waiting = await watchedToo(context, [CUT]);
  const tab = waiting.page;
  const line = await wired(tab);
  line.mute(true);
  await tab.goto("/");
  await expect(tab.getByRole("heading", { name: "Opening your vault" })).toBeVisible();
  await expect(tab.getByRole("status").filter({ hasText: counted("Reaching your vault") })).toBeVisible();
  await inspect(tab, "reaching-vault");
  line.mute(false);
  await expect(composer(tab)).toBeVisible({ timeout: 60_000 });

  line.mute(true);
  await send(tab, "[[say: Arrived.]]");
  await expect(tab.locator(".delivery", { hasText: counted("Sending") })).toBeVisible();
  line.mute(false);
  await answered(tab, "Arrived.");
  await quiet(tab);

  line.gag(true);
  await tab.getByRole("button", { name: "Lock now" }).click();
  await expect(tab.getByRole("heading", { name: "Locking your vault" })).toBeVisible();
  await expect(tab.getByRole("status").filter({ hasText: counted("Sealing what your agent remembers") })).toBeVisible();
  await inspect(tab, "locking-now");
  line.gag(false);
  await asleep(tab);
  line.mute(true);
  await tab.getByLabel("Vault password", { exact: true }).fill(password);
  await tab.getByRole("button", { name: "Unlock", exact: true }).click();
  const button = tab.getByRole("button", { name: "Opening your vault…", exact: true });
  await expect(button, "its name is no other one each second").toContainText(counted("Opening your vault"));
  await expect(tab.locator(".connection-line", { hasText: counted("Reaching your vault") })).toContainText("You can type already.");
  await expectAccessible(tab, "the vault being opened");
  await shot(tab, "opening-vault");
  line.mute(false);
  await expect(composer(tab)).toBeVisible({ timeout: 60_000 });
  expectClean(waiting);
  await tab.close();
  await page.goto("/");
});

test("a page whose server or vault cannot be reached says so, and goes on once it can", async ({ anna: { context, page, password } }) => {
  await page.goto("about:blank");
  const cut = await watchedToo(context, [CUT, /net::ERR_FAILED .*\/api\/v1\/me/]);
  const tab = cut.page;
  const line = await wired(tab);
  await tab.route("**/api/v1/me", (route) => route.abort());
  await tab.goto("/");
  await expect(tab.getByRole("heading", { name: "Holdfast does not answer" })).toBeVisible();
  await inspect(tab, "server-unreachable");
  await tab.unroute("**/api/v1/me");
  await tab.getByRole("button", { name: "Try again" }).click();
  await expect(composer(tab)).toBeVisible({ timeout: 60_000 });

  await tab.getByRole("button", { name: "Lock now" }).click();
  await asleep(tab);
  line.refuse(true);
  await tab.getByLabel("Vault password", { exact: true }).fill(password);
  await expect(tab.locator(".connection-line").getByRole("button", { name: "Try now" })).toBeVisible();
  await inspect(tab, "vault-unreachable");
  line.refuse(false);
  await tab.getByRole("button", { name: "Unlock", exact: true }).click();
  await expect(composer(tab)).toBeVisible({ timeout: 60_000 });
  expectClean(cut);
  await tab.close();
  await page.goto("/");
});

test("how long an answer takes is said by one clock, also where the browser's is an hour ahead", async ({ anna: { context, page } }) => {
  await page.goto("about:blank");
  const other = await watchedToo(context);
  const tab = other.page;
  await tab.clock.install({ time: Date.now() + 3_600_000 });
  await tab.goto("/");
  await expect(tab.getByText("Agent ready")).toBeVisible({ timeout: COLD_START_MS });
  await newConversation(tab);
  await send(tab, "[[hold: thought]] [[say: This is half of it. ]] [[hold: half]] [[say: And this is the rest.]]");
  const seconds = tab.locator(".working .seconds");
  await expect(seconds).toHaveText(/^\d{1,3} s$/, { timeout: COLD_START_MS });
  await control("held/thought", "GET");
  await tab.reload();
  await expect(seconds, "whoever comes to it later is told the same").toHaveText(/^\d{1,3} s$/, { timeout: COLD_START_MS });
  await control("release/thought", "POST");
  await expect(answers(tab).last()).toContainText("This is half of it.", { timeout: COLD_START_MS });
  await inspect(tab, "streaming");
  await control("release/half", "POST");
  await answered(tab, "And this is the rest.");
  await quiet(tab);
  expectClean(other);
  await tab.close();
  await page.goto("/");
});

test("a command that runs is shown as running, and Stop ends it and keeps what was said", async ({ anna: { page } }) => {
  await newConversation(page);
  const heard = await recordAnnouncements(page);
  await send(page, '[[say: I begin. ]] [[tool: exec {"command":"sleep 300"}]] [[say: Never to be said.]]');
  const row = answers(page).last().locator("details.tool");
  await expect(row).toHaveClass(/tool-running/, { timeout: COLD_START_MS });
  await expect(row).toContainText("Running a command");
  await expect(row).toContainText("sleep 300");
  await expect(page.locator(".working")).toContainText(/Working…\s+\d+ s/);
  await expectAccessible(page, "a command that runs");
  await shot(page, "tool-running");
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByText("You stopped this answer.")).toBeVisible();
  await expect(answers(page).last()).toContainText("I begin.");
  await expect(row).toHaveClass(/tool-failed/);
  await expect(page.locator(".working")).toHaveCount(0);
  await quiet(page);
  expect(await heard()).toContain("Stopped.");
  await expect(page.getByText("Never to be said.", { exact: true })).toHaveCount(0);
  await page.reload();
  await expect(page.getByText("You stopped this answer.")).toBeVisible({ timeout: COLD_START_MS });
  await expect(answers(page).last()).toContainText("I begin.");
});
