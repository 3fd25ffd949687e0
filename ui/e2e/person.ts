/** People who use the pages: what each test starts from, done through the pages alone. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type Browser, type BrowserContext, expect, type Locator, type Page, test as base } from "@playwright/test";
import { isSecret, look } from "./canaries";
import { mailedLink } from "./mail";
import { place, told } from "./place";
import { expectClean, inspect, watched, type Watched } from "./watched";

export interface Person extends Watched {
  name: string;
  email: string;
  password: string;
  phrase: string;
}

/** Starting OpenClaw takes its time on a busy machine. */
export const COLD_START_MS = 300_000;

/** What a browser that is started after a failed test has to know. */
interface Notes {
  phrase: string;
  session: Awaited<ReturnType<BrowserContext["storageState"]>>;
}

const notebook = `test-results/owner-${new URL(place.url).port}.json`;

export async function makeVault(person: Person, shows: boolean): Promise<void> {
  const { page, password } = person;
  isSecret("a vault password", password);
  await expect(page.getByRole("heading", { name: "Make your vault" })).toBeVisible();
  const button = page.getByRole("button", { name: "Make my vault" });
  await page.getByLabel("Vault password", { exact: true }).fill("summer2026");
  await expect(page.locator(".strength")).not.toHaveClass(/strength-none/);
  await expect(button).toBeDisabled();
  await page.getByLabel("Vault password", { exact: true }).fill(password);
  await expect(page.getByText("Very good.")).toBeVisible();
  if (shows) await inspect(page, "make-vault");
  await button.click();

  person.phrase = await newPhrase(page, shows);
}

/** Has a recovery phrase made, and shows that it is written down; a phrase that was there before ends with it. */
export async function newPhrase(page: Page, shows: boolean): Promise<string> {
  await page.getByRole("button", { name: "Show my recovery phrase" }).click({ timeout: 60_000 });
  const words = page.getByRole("list", { name: "Recovery phrase" }).getByRole("listitem");
  await expect(words).toHaveCount(12);
  const phrase = (await words.allInnerTexts()).map((word) => word.trim()).join(" ");
  isSecret("a recovery phrase", phrase);
  if (shows) await inspect(page, "recovery-phrase");
  await page.getByRole("button", { name: "I have written them down" }).click();
  const fields = page.getByLabel(/^Word \d+$/);
  await expect(fields).toHaveCount(2);
  await fields.first().fill("wrong");
  await fields.last().fill("wrong");
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "is not what was shown" })).toBeVisible();
  if (shows) await inspect(page, "confirm-phrase-wrong");
  for (const field of await fields.all()) {
    const at = Number((await field.getAttribute("id"))?.replace("word-", ""));
    await field.fill(phrase.split(" ")[at] ?? "");
  }
  await page.getByRole("button", { name: "Confirm" }).click();
  return phrase;
}

export async function connectModel(page: Page, shows: boolean): Promise<void> {
  await expect(page.getByRole("heading", { name: "Connect a model" })).toBeVisible();
  // The server was started with --demo: the form is filled in.
  await expect(page.getByLabel("Base URL")).not.toHaveValue("");
  const base = await page.getByLabel("Base URL").inputValue();
  await page.getByLabel("Model", { exact: true }).fill("no-such-model");
  await page.getByRole("button", { name: "Test" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "refused" })).toBeVisible({ timeout: 60_000 });
  if (shows) await inspect(page, "model-refused");
  await page.getByLabel("Model", { exact: true }).fill("scripted");
  expect(await page.getByLabel("Base URL").inputValue()).toBe(base);
  await page.getByRole("button", { name: "Test" }).click();
  await expect(page.getByText("It works")).toBeVisible({ timeout: 60_000 });
  if (shows) await inspect(page, "model-works");
  await page.getByRole("button", { name: "Save and meet your agent" }).click();
  await expect(page.getByLabel("Message", { exact: true })).toBeVisible();
}

/** Types the vault password where a fresh proof is asked for on the way to what stands there in the end. */
export async function prove(page: Page, password: string, end: Locator): Promise<void> {
  const proof = page.getByRole("dialog").filter({ hasText: "Show that it is you" });
  await expect(proof.or(end).first()).toBeVisible({ timeout: 60_000 });
  if (!(await proof.isVisible())) return;
  await proof.locator("#proof-secret").fill(password);
  await proof.getByRole("button", { name: "Continue" }).click();
  await expect(end).toBeVisible({ timeout: 60_000 });
}

/** Gives the page a device that passkeys can be made on, with the part of them that makes keys. Gives how to take it away. */
export async function withAuthenticator({ page, context }: Watched, hasPrf = true): Promise<() => Promise<void>> {
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, hasPrf, automaticPresenceSimulation: true },
  });
  return async () => {
    await cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
  };
}

/** As a browser that offers no passkeys where an address is typed: there is the button. */
export async function withoutOfferInFields({ context }: Watched): Promise<void> {
  await context.addInitScript(() => {
    PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(false);
  });
}

async function setUp(owner: Person): Promise<void> {
  const { page } = owner;
  const link = new URL(told("setup-url"));
  await page.goto(`${link.pathname}${link.hash}`);
  await expect(page.getByRole("heading", { name: "Set up Holdfast" })).toBeVisible();
  await inspect(page, "setup");
  expect(new URL(page.url()).hash, "the token leaves the address").toBe("");
  await page.getByLabel("Organisation").fill("Keller & Sons");
  await page.getByLabel("Your name").fill(owner.name);
  await page.getByLabel("Your e-mail address").fill(owner.email);
  await page.getByRole("button", { name: "Continue" }).click();
  await makeVault(owner, true);
  await connectModel(page, true);
}

/** From a page that only who is signed in sees, or from the one for signing in. */
export async function signInByMail(page: Page, email: string, meanwhile?: () => Promise<void>, from = "/sign-in"): Promise<void> {
  await page.goto(from);
  const path = await mailedLink(email, "sign-in", async () => {
    await page.getByLabel("E-mail address").fill(email);
    await page.getByRole("button", { name: "Send me a link" }).click();
    await expect(page.getByRole("heading", { name: "Look in your mail" })).toBeVisible();
    await meanwhile?.();
  });
  await page.goto(path);
}

/** Signed in: by the session that the browser has, or by mail, of which there are only so many. Whether it took a mail. */
async function enter({ page, context }: Watched, email: string): Promise<boolean> {
  if ((await context.request.get("/api/v1/me")).ok()) {
    await page.goto("/");
    return false;
  }
  await signInByMail(page, email);
  return true;
}

let fresh: { at: number; session: Notes["session"] } | undefined;

/** The owner invites somebody by mail; the path that the mail leads to. */
export async function invite({ page }: Person, email: string): Promise<string> {
  await page.goto("/people");
  return mailedLink(email, "join", async () => {
    await page.getByLabel("E-mail address").fill(email);
    await page.getByRole("button", { name: "Send invitation" }).click();
    await expect(page.getByText("has an invitation in the mail")).toBeVisible();
  });
}

/** At which address, and with what behind their name, somebody comes in this try of a test: whoever has an invitation is not invited again. */
export function unlikeBefore(retry: number): [at: string, again: string] {
  return retry === 0 ? ["example.org", ""] : [`again-${retry}.example.org`, ` ${retry}`];
}

/** Somebody who was invited, has joined, and has a vault and no model yet. */
export async function join(owner: Person, browser: Browser, name: string, email: string, password: string, expected: readonly RegExp[] = []): Promise<Person> {
  const path = await invite(owner, email);
  const person: Person = { ...(await watched(await browser.newContext(), expected)), name, email, password, phrase: "" };
  await person.page.goto(path);
  await person.page.getByLabel("Your name").fill(name);
  await person.page.getByRole("button", { name: "Join" }).click();
  await makeVault(person, false);
  await expect(person.page.getByRole("heading", { name: "Connect a model" })).toBeVisible({ timeout: 60_000 });
  return person;
}

/** The owner in a browser of their own, signed in a moment ago, as dangerous acts ask for. Sign-in mails are limited in number: one does for several tests. */
export async function signedInAfresh(browser: Browser, { email, password }: Person): Promise<Watched> {
  const known = fresh && Date.now() - fresh.at < 5 * 60_000 ? fresh.session : undefined;
  const own = await watched(await browser.newContext({ storageState: known }));
  if (await enter(own, email)) {
    await expect(own.page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
    fresh = { at: Date.now(), session: await own.context.storageState() };
  }
  await unlock(own.page, password);
  return own;
}

/** A vault that the browser refused is taken all the same, by somebody who was told why it is another one. */
export async function goOnWithThisVault(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "I know what happened" }).click();
  const question = page.getByRole("dialog", { name: "Take this vault for yours?" });
  await inspect(page, name);
  await question.getByRole("button", { name: "Go on with this vault" }).click();
}

/** Locks the vault with the button that every page has, and waits until the cell sleeps. */
export async function lock(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Lock now" }).click();
  await asleep(page);
}

/** After "Lock now" the cell goes to sleep; nobody unlocks it in the moment before it does. */
export async function asleep(page: Page): Promise<void> {
  await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
  await expect.poll(async () => ((await (await page.request.get("/api/v1/cell")).json()) as { state: string }).state, { timeout: 60_000 }).toBe("asleep");
}

export async function unlock(page: Page, password: string): Promise<void> {
  isSecret("a vault password", password);
  await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
  await page.getByLabel("Vault password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await expect(page.getByLabel("Message", { exact: true })).toBeVisible({ timeout: 60_000 });
}

async function owner(browser: Browser): Promise<Person> {
  const known = existsSync(notebook) ? (JSON.parse(readFileSync(notebook, "utf8")) as Notes) : undefined;
  const context = await browser.newContext({ storageState: known?.session });
  const person: Person = { ...(await watched(context)), name: "Anna Keller", email: "anna@example.org", password: "purple lamp river seven", phrase: "" };
  if (known) {
    // A test failed and a new browser was started: the owner exists.
    person.phrase = known.phrase;
    isSecret("a recovery phrase", known.phrase);
    await enter(person, person.email);
    await unlock(person.page, person.password);
  } else {
    await setUp(person);
    mkdirSync("test-results", { recursive: true });
    const notes: Notes = { phrase: person.phrase, session: await context.storageState() };
    writeFileSync(notebook, JSON.stringify(notes));
  }
  expectClean(person);
  return person;
}

/** The owner, signed in and with an open vault; what went wrong unseen in a test fails that test. */
export const test = base.extend<{ anna: Person }, { ownerOnce: Person }>({
  ownerOnce: [
    async ({ browser }, use) => {
      const person = await owner(browser);
      await use(person);
      await person.context.close();
    },
    { scope: "worker", timeout: 600_000 },
  ],
  anna: async ({ ownerOnce }, use) => {
    await use(ownerOnce);
    expectClean(ownerOnce);
    expect((await look()).found, "what may leave a page only sealed").toEqual([]);
  },
});

export { expect };
