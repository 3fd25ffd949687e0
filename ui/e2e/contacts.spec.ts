import { type Browser, type Page } from "@playwright/test";
import { composer } from "./conversation";
import { expect, join, type Person, signInByMail, test, unlock } from "./person";
import { expectClean, inspect, watched } from "./watched";

/** Somebody who has joined, and whose keys others can look up. */
async function reachable(anna: Person, browser: Browser, name: string, email: string, password: string): Promise<Person> {
  const person = await join(anna, browser, name, email, password);
  await person.page.goto("/trusted");
  await expect(person.page.locator("section", { hasText: "Your digits" }).locator(".digits").first()).toBeVisible({ timeout: 60_000 });
  return person;
}

async function prove(page: Page, password: string): Promise<void> {
  const proof = page.getByRole("dialog").filter({ hasText: "Show that it is you" });
  const done = page.getByText("Each part reaches its holder").first();
  await expect(proof.or(done)).toBeVisible({ timeout: 60_000 });
  if (await proof.isVisible()) {
    await proof.locator("#proof-secret").fill(password);
    await proof.getByRole("button", { name: "Continue" }).click();
  }
}

test("contacts let somebody back in who has lost every other way", async ({ anna, browser }) => {
  const dan = await reachable(anna, browser, "Dan Weber", "dan@example.org", "four orange boats drift");
  const eve = await reachable(anna, browser, "Eve Lang", "eve@example.org", "nine silver doors open");
  const { page } = anna;
  await page.goto("/trusted");
  await page.getByRole("button", { name: "Compare with Dan Weber" }).click();
  const shown = await page.getByRole("img", { name: /^Digits of Dan Weber/ }).innerText();
  const read = await dan.page.getByRole("img", { name: /^Your digits/ }).innerText();
  expect(shown, "what Dan reads is what Anna sees").toBe(read);
  await page.getByRole("button", { name: "Yes, the same" }).click();
  await expect(page.getByText(/Compared on/)).toBeVisible();

  await page.getByRole("button", { name: "Choose contacts" }).click();
  await page.getByRole("checkbox", { name: /Dan Weber/ }).check();
  await page.getByRole("checkbox", { name: /Eve Lang/ }).check();
  await page.getByLabel("How long do they wait").selectOption({ label: "Not at all (only for trying it out)" });
  await inspect(page, "recovery-contacts");
  await page.getByRole("button", { name: "Give them their parts" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Without waiting" }).click();
  await prove(page, anna.password);
  await expect(page.getByText("Each part reaches its holder").first()).toBeVisible({ timeout: 60_000 });
  for (const contact of [dan, eve]) {
    await contact.page.reload();
    await expect(contact.page.getByText("You hold a part of the recovery of Anna Keller")).toBeVisible({ timeout: 60_000 });
  }

  // Another browser, without password or phrase.
  const locked = await watched(await browser.newContext());
  const lost = locked.page;
  await signInByMail(lost, anna.email);
  await lost.getByRole("button", { name: "Lost everything? Ask your contacts" }).click();
  await lost.getByRole("button", { name: "Ask my contacts" }).click();
  const digits = lost.getByRole("img", { name: /^Your digits/ });
  await expect(digits).toBeVisible({ timeout: 60_000 });
  await inspect(lost, "asking-contacts");
  const code = (await digits.innerText()).replaceAll(/\s+/g, " ");
  for (const contact of [dan, eve]) {
    await contact.page.reload();
    const field = contact.page.getByLabel("Digits of Anna Keller");
    await field.fill("00000 11111 22222 33333 44444");
    await contact.page.getByRole("button", { name: "Help them" }).click();
    await expect(contact.page.locator(".field-error", { hasText: "not the digits of this request" })).toBeVisible();
    if (contact === dan) await inspect(contact.page, "helping-a-contact");
    await field.fill(code);
    await contact.page.getByRole("button", { name: "Help them" }).click();
    await expect(contact.page.getByText("Your part has gone to Anna Keller")).toBeVisible({ timeout: 60_000 });
  }
  await expect(lost.getByText("Enough of your contacts have helped")).toBeVisible({ timeout: 60_000 });
  await lost.getByLabel("New vault password").fill(anna.password);
  await lost.getByRole("button", { name: "Open my vault" }).click();
  await expect(lost.getByRole("heading", { name: "You are back in" })).toBeVisible({ timeout: 60_000 });
  await lost.getByRole("dialog").getByRole("button", { name: "OK" }).click();
  expectClean(locked);
  await locked.context.close();
  for (const contact of [dan, eve]) {
    expectClean(contact);
    await contact.context.close();
  }
  // The password is a new slot, though it is the same word: where the old one was used, it is asked for again.
  await page.goto("/");
  await expect(composer(page).or(page.getByRole("heading", { name: "Unlock your vault" }))).toBeVisible({ timeout: 60_000 });
  if (!(await composer(page).isVisible())) await unlock(page, anna.password);
});
