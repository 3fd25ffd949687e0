import { expect, join, test } from "./person";
import { connectService, removeService } from "./services";
import { expectClean, inspect } from "./watched";

interface Watched {
  moments: { blind: number; waiting: number };
}

/** Counts, whenever the page changes, the offers without their words: those that can be accepted, and those that wait. Runs in the page. */
function watchAccept(): void {
  const moments = { blind: 0, waiting: 0 };
  (window as unknown as Watched).moments = moments;
  new MutationObserver(() => {
    for (const button of document.querySelectorAll<HTMLButtonElement>('hf-received button[aria-label^="Accept:"]')) {
      if (button.closest("hf-received")?.querySelector("pre.shared-answer")) continue;
      if (button.disabled) moments.waiting += 1;
      else moments.blind += 1;
    }
  }).observe(document.documentElement, { subtree: true, childList: true, attributes: true });
}

test("an admin shares a service with their group, and a member accepts it, uses it, manages it, passes it on, and is taken out", async ({ anna, browser }, { retry }) => {
  const { page } = anna;
  const eva = await join(anna, browser, "Eva Ernst", `eva.ernst.${retry}@example.org`, "four slow rivers running");
  const felix = await join(anna, browser, "Felix Frei", `felix.frei.${retry}@example.org`, "five warm islands sleeping");
  const group = `Sales ${retry}`;
  await connectService(page, "crm", "Key of the customer list", "crm-canary-0123456789");

  await page.goto("/groups");
  await page.getByLabel("Name", { exact: true }).fill(group);
  await page.getByRole("button", { name: "Make group" }).click();
  await expect(page.getByRole("heading", { name: group, level: 1 })).toBeVisible();
  for (const person of [eva, felix]) {
    await page.getByLabel("E-mail address").fill(person.email);
    await page.getByRole("button", { name: "Invite", exact: true }).click();
    await expect(page.getByRole("button", { name: `Withdraw the invitation of ${person.email}` })).toBeVisible();
    await person.page.goto("/groups");
    await person.page.getByRole("button", { name: `Join ${group}`, exact: true }).click();
    await expect(person.page.getByText(`You are in ${group} now.`).first()).toBeVisible();
  }

  // Anna shares it, and says what agents should know.
  await page.reload();
  await expect(page.getByText("Nothing yet. Share a service")).toBeVisible({ timeout: 60_000 });
  await page.getByRole("button", { name: "Share a service with this group" }).click();
  await expect(page.getByLabel("Which service?")).toBeFocused();
  await page.getByLabel("Which service?").selectOption("crm");
  await page.getByLabel("What do you call it here?").fill("Customer list");
  await page.getByLabel("What is it for?").fill("Who our customers are.");
  await page.getByLabel("What should their agents know?").fill("Look at /models before you write to anybody.");
  await page.getByLabel("Eva Ernst", { exact: true }).selectOption({ label: "Only look at it" });
  const sentence = page.getByText("Eva Ernst and their agent may look at Customer list until");
  await expect(sentence).not.toContainText("pass it on");
  await page.getByLabel("May pass it on: Eva Ernst").check();
  await page.getByLabel("May manage it for you: Eva Ernst").check();
  await expect(sentence).toContainText("Eva Ernst may pass it on to others in this group. Eva Ernst may manage it for you");
  await inspect(page, "group-share-form");
  await page.getByRole("button", { name: "Share", exact: true }).click();
  const choice = page.getByLabel("What Eva Ernst may do with Customer list");
  await expect(choice).toHaveValue("read", { timeout: 60_000 });
  await inspect(page, "group-shared-given");

  // Eva reads what her agent would be told, accepts, and looks at it. At no moment can she accept what does not stand there yet.
  await eva.page.evaluate(watchAccept);
  await eva.page.getByRole("link", { name: group }).first().click();
  const row = eva.page.locator("hf-received", { hasText: "Customer list of Anna Keller" });
  await expect(row.getByText("Waits for your yes")).toBeVisible({ timeout: 60_000 });
  await expect(row.getByText("Look at /models before you write to anybody.")).toBeVisible();
  await inspect(eva.page, "group-shared-offered");
  const moments = await eva.page.evaluate(() => (window as unknown as Watched).moments);
  expect(moments.blind, "moments in which it could be accepted unread").toBe(0);
  expect(moments.waiting, "moments in which it waited for what is to be read").toBeGreaterThan(0);
  await row.getByRole("button", { name: "Accept" }).click();
  await expect(row.getByText("Yours to use")).toBeVisible();
  await row.getByRole("button", { name: "Look at it" }).click();
  await row.getByLabel("Which part of crm?").fill("/models");
  await row.getByRole("button", { name: "Read", exact: true }).click();
  const answer = row.getByRole("region", { name: "Answer of Customer list of Anna Keller" });
  await expect(answer).toContainText("scripted", { timeout: 60_000 });
  await expect(answer).not.toContainText("crm-canary");
  await expect(page.getByText("Used once")).toBeVisible({ timeout: 60_000 });

  // Eva manages it for Anna, whose vault does what she says of Felix, and who sees it.
  await row.getByRole("button", { name: "Who may use it" }).click();
  const felixMay = row.getByLabel("What Felix Frei may do with Customer list");
  await expect(felixMay).toHaveValue("", { timeout: 60_000 });
  await expect(felixMay.getByRole("option")).toHaveText(["Nothing", "Only look at it"]);
  await felixMay.selectOption({ label: "Only look at it" });
  await expect(row.getByText("Felix Frei and their agent may look at Customer list until")).toBeVisible({ timeout: 60_000 });
  await expect(row.getByLabel("What Anna Keller may do with Customer list")).toHaveCount(0);
  await inspect(eva.page, "group-managed");
  await expect(page.getByLabel("What Felix Frei may do with Customer list")).toHaveValue("read", { timeout: 60_000 });
  await expect(page.getByText("Eva Ernst let them")).toBeVisible();
  await felixMay.selectOption({ label: "Nothing" });
  await expect(page.getByLabel("What Felix Frei may do with Customer list")).toHaveValue("", { timeout: 60_000 });
  await row.getByRole("button", { name: "Who may use it" }).click();

  // She passes it on to him herself, and Anna sees that, too.
  await row.getByRole("button", { name: "Pass it on: Customer list" }).click();
  await row.getByLabel("To whom?").selectOption({ label: "Felix Frei" });
  await inspect(eva.page, "group-pass-on-form");
  await row.getByRole("button", { name: "Pass it on", exact: true }).click();
  await felix.page.goto("/shared");
  await expect(felix.page.getByText("Eva Ernst passed it on to you. It belongs to Anna Keller")).toBeVisible({ timeout: 60_000 });
  await felix.page.getByRole("button", { name: "Look at it: crm of Anna Keller" }).click();
  await felix.page.getByLabel("Which part of crm?").fill("/models");
  await felix.page.getByRole("button", { name: "Read", exact: true }).click();
  await expect(felix.page.getByRole("region", { name: "Answer of crm of Anna Keller" })).toContainText("scripted", { timeout: 60_000 });
  const links = page.getByRole("list", { name: "To whom Customer list was passed on" });
  await expect(links).toContainText("Eva Ernst passed it on to Felix Frei", { timeout: 60_000 });
  await inspect(page, "group-passed-on");

  // Anna changes what agents are told, without stopping it. Eva's agent keeps what Eva accepted, until she has read and accepted the change.
  await page.getByRole("button", { name: "Change what agents are told of Customer list" }).click();
  const skill = page.getByLabel("What should their agents know?");
  await expect(skill).toBeFocused();
  await expect(skill).toHaveValue("Look at /models before you write to anybody.");
  await skill.fill("Look at /models, and write to nobody on a Monday.");
  await inspect(page, "group-words-form");
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await expect(page.getByRole("button", { name: "Change what agents are told of Customer list" })).toBeFocused();
  await eva.page.evaluate(watchAccept);
  await expect(row.getByText("Changed: waits for your yes")).toBeVisible({ timeout: 60_000 });
  await expect(row.getByRole("region", { name: "What your agent would be told of Customer list of Anna Keller" })).toHaveText("Look at /models, and write to nobody on a Monday.");
  await row.getByRole("button", { name: "What your agent is told" }).click();
  const told = row.getByRole("region", { name: "What your agent is told of Customer list of Anna Keller" });
  await expect(told).toHaveText("Look at /models before you write to anybody.");
  await inspect(eva.page, "group-words-changed");
  expect((await eva.page.evaluate(() => (window as unknown as Watched).moments)).blind, "moments in which the change could be accepted unread").toBe(0);
  await row.getByRole("button", { name: "Accept the change" }).click();
  await expect(row.getByText("Yours to use")).toBeVisible();
  await row.getByRole("button", { name: "What your agent is told" }).click();
  await expect(told).toHaveText("Look at /models, and write to nobody on a Monday.");

  // Taken out: it is over for her at once.
  await page.getByRole("button", { name: "Take out Eva Ernst" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Take out" }).click();
  await expect(page.getByText("Eva Ernst is out of this group.").first()).toBeVisible();
  await expect(row.getByText("Stopped")).toBeVisible({ timeout: 60_000 });
  // And for whom she passed it on to.
  await expect(felix.page.locator(".row-head", { hasText: "crm of Anna Keller" }).getByText("Stopped")).toBeVisible({ timeout: 60_000 });
  await expect(links).toHaveCount(0);

  // Anna leaves the group, whose page she has no more; what she has for it stands where she sees what she shares.
  await page.getByRole("button", { name: "Leave", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Leave" }).click();
  await expect(page.getByRole("heading", { name: "Groups", level: 1 })).toBeVisible();
  await page.goto("/shared");
  const groups = page.getByRole("region", { name: "You share with groups" });
  await expect(groups).toContainText("Nobody may use it", { timeout: 60_000 });
  await inspect(page, "shared-with-groups");
  await groups.getByRole("button", { name: `Stop sharing Customer list with the group ${group}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop sharing" }).click();
  await expect(groups).toHaveCount(0);
  for (const person of [eva, felix]) {
    expectClean(person);
    await person.context.close();
  }

  await removeService(page, "crm");
});
