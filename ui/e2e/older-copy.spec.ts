import type { Browser, Page } from "@playwright/test";
import { aQuarterOfAnHourLater, copyOfVault } from "./machine";
import { expect, join, lock, type Person, prove, test, unlikeBefore, withAuthenticator } from "./person";
import { expectClean, inspect, watched } from "./watched";

test.describe.configure({ mode: "serial" });

let hal: Person;
let ida: Person;

/** What is refused on purpose. */
const REFUSED = [/status of 409 .*\/api\/v1\/recovery\/contacts$/, /status of 403 .*\/api\/v1\/recovery\/request$/];

/** A browser that has the session and knows nothing of the vault. */
async function elsewhere(browser: Browser, person: Person): Promise<Person> {
  const { cookies } = await person.context.storageState();
  await person.context.close();
  return { ...person, ...(await watched(await browser.newContext({ storageState: { cookies, origins: [] } }), REFUSED)) };
}

async function open(page: Page, password: string): Promise<void> {
  const words = page.getByRole("button", { name: "Use your password" });
  const field = page.getByLabel("Vault password", { exact: true });
  await expect(field.or(words)).toBeVisible({ timeout: 60_000 });
  if (await words.isVisible()) await words.click();
  await field.fill(password);
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
}

/** Whom the platform would ask, and for how long they would wait. */
async function known({ page }: Person): Promise<{ names: string[]; hours: number }> {
  const { contacts, wait_ms } = (await (await page.request.get("/api/v1/recovery")).json()) as { contacts: { name: string }[]; wait_ms: number };
  return { names: contacts.map(({ name }) => name).sort(), hours: wait_ms / 3_600_000 };
}

async function choose({ page, password }: Person, button: string, wait: string): Promise<void> {
  await page.getByRole("button", { name: button }).click();
  for (const name of ["Anna Keller", ida.name]) await page.getByRole("checkbox", { name }).check();
  await page.getByLabel("How long do they wait").selectOption({ label: wait });
  await page.getByRole("button", { name: "Give them their parts" }).click();
  await prove(page, password, page.locator(".notice-ok", { hasText: "Each part reaches its holder" }));
}

const OLDER = "Your vault came out of an older backup or copy";

test("a vault that came out of an older copy says that it does not know the contacts chosen last, and choosing again settles it", async ({ anna, browser }, { retry }) => {
  const [at, again] = unlikeBefore(retry);
  ida = await join(anna, browser, `Ida Blom${again}`, `ida@${at}`, "twelve paper lanterns glow");
  await ida.page.goto("/trusted");
  await expect(ida.page.getByRole("img", { name: /^Your digits/ })).toBeVisible({ timeout: 60_000 });
  hal = await join(anna, browser, `Hal Storm${again}`, `hal@${at}`, "six wooden bridges sway");
  await hal.page.goto("/trusted");
  await choose(hal, "Choose contacts", "One day");
  const putBack = await copyOfVault(hal);
  await choose(hal, "Choose again", "Three days");
  const later = await known(hal);
  expect(later).toEqual({ names: [anna.name, ida.name], hours: 72 });
  await expect(hal.page.getByText(OLDER)).toHaveCount(0);
  await lock(hal.page);
  putBack();
  expectClean(hal);

  hal = await elsewhere(browser, hal);
  const { page, password } = hal;
  await page.goto("/trusted");
  await open(page, password);
  await expect(page.getByText(OLDER)).toBeVisible({ timeout: 60_000 });
  expect(await known(hal), "the server keeps to the later choice").toEqual(later);
  await inspect(page, "contacts-older");
  await page.reload();
  await expect(page.getByText(OLDER)).toBeVisible({ timeout: 60_000 });
  await choose(hal, "Choose again", "One day");
  await expect(page.getByText(OLDER)).toHaveCount(0);
  expect(await known(hal)).toEqual({ ...later, hours: 24 });
});

test("contacts are asked only by who has just signed in with everything, and a page says how", async () => {
  const { page, password } = hal;
  await withAuthenticator(hal, false);
  await page.goto("/security");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "I have kept them" }).click();
  await lock(page);
  aQuarterOfAnHourLater(hal);
  await page.getByRole("button", { name: "Lost everything? Ask your contacts" }).click();
  await page.getByRole("button", { name: "Ask my contacts" }).click();
  const first = page.getByRole("dialog").filter({ hasText: "Sign in again first" });
  await expect(first).toBeVisible();
  expect((await (await page.request.get("/api/v1/recovery")).json()) as object, "nobody is asked").toMatchObject({ request: null });
  await inspect(page, "sign-in-again-first");
  await first.getByRole("button", { name: "Sign out and in again" }).click();
  // The browser offers the passkey where the address is typed, and its owner takes it at once: that is everything.
  await page.getByRole("button", { name: "Lost everything? Ask your contacts" }).click({ timeout: 60_000 });
  await page.getByRole("button", { name: "Ask my contacts" }).click();
  await expect(page.getByRole("img", { name: /^Your digits/ })).toBeVisible({ timeout: 60_000 });

  // It was not lost after all.
  await open(page, password);
  const stop = page.getByRole("button", { name: "Stop it" });
  await expect(stop).toBeVisible({ timeout: 60_000 });
  await inspect(page, "recovery-asked");
  await stop.click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop it" }).click();
  await expect(page.getByText("Stopped. Nobody is asked any more.")).toBeVisible();
});

test("a recovery that is ended leaves nobody whom the platform would ask, and nothing with the contacts", async () => {
  const { page, password } = hal;
  await ida.page.reload();
  await expect(ida.page.getByText(`You hold a part of the recovery of ${hal.name}`)).toBeVisible({ timeout: 60_000 });
  await page.goto("/ways-in");
  await page.getByRole("button", { name: "Remove “Recovery contacts”" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await prove(page, password, page.locator(".notice-ok", { hasText: "“Recovery contacts” does not open your vault any more" }));
  await expect.poll(() => known(hal)).toEqual({ names: [], hours: 0 });
  await page.goto("/trusted");
  await expect(page.getByRole("button", { name: "Choose contacts" })).toBeVisible({ timeout: 60_000 });
  await ida.page.reload();
  await expect(ida.page.getByRole("img", { name: /^Your digits/ })).toBeVisible({ timeout: 60_000 });
  await expect(ida.page.getByText(`You hold a part of the recovery of ${hal.name}`)).toHaveCount(0, { timeout: 60_000 });
  for (const each of [hal, ida]) {
    expectClean(each);
    await each.context.close();
  }
});
