import { expect, signedInAfresh, test } from "./person";
import { isSigned, startReceiver } from "./receiver";
import { expectClean, inspect, watchedToo } from "./watched";

const pages = {
  "/secrets": "Secrets",
  "/secrets/import": "Bring secrets in",
  "/services": "Services",
  "/models": "Models and spending",
  "/activity": "Activity",
  "/trusted": "Trusted people",
  "/backup": "Backup",
  "/security": "Signing in",
  "/alerts": "Alerts",
  "/providers": "Sign-in",
  "/people/waiting": "People",
  "/groups": "Groups",
  "/keys": "API keys",
  "/audit": "Audit",
};

test("every page of settings can be read, wide and narrow, light and dark", async ({ anna: { page } }) => {
  for (const [address, title] of Object.entries(pages)) {
    await page.goto(address);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
    await inspect(page, title.toLowerCase().replaceAll(" ", "-"));
  }
  await page.goto("/");
});

test("a page of another version than its vault, and one at an address that is not secure, say what to do", async ({ anna: { context } }) => {
  const other = await watchedToo(context);
  await other.page.routeWebSocket(/\/api\/v1\/channel$/, (near) => {
    const far = near.connectToServer();
    far.onMessage((message) => near.send(typeof message === "string" ? message.replace('"version":1', '"version":2') : message));
  });
  await other.page.goto("/");
  await expect(other.page.getByRole("heading", { name: "Reload this page" })).toBeVisible();
  await inspect(other.page, "other-version");
  expectClean(other);
  await other.page.close();

  const plain = await watchedToo(context);
  await plain.page.addInitScript(() => Object.defineProperty(globalThis, "isSecureContext", { value: false }));
  await plain.page.goto("/");
  await expect(plain.page.getByRole("heading", { name: "This page needs a secure address" })).toBeVisible();
  await inspect(plain.page, "not-secure");
  expectClean(plain);
  await plain.page.close();
});

test("an owner has alerts and the audit log sent to a program of theirs, which checks who sends", async ({ anna, browser }) => {
  const receiver = await startReceiver();
  const own = await signedInAfresh(browser, anna);
  const { page } = own;
  try {
    // Whether people are told that something waits while their vault is locked.
    await page.goto("/security");
    const on = page.getByRole("button", { name: "Turn on: tell people what waits for them" });
    const off = page.getByRole("button", { name: "Turn off: tell people what waits for them" });
    await expect(on.or(off)).toBeVisible();
    const turns = (await off.isVisible()) ? [off, on] : [on, off];
    for (const each of turns) {
      await each.click();
      await expect(page.locator(".notice-ok", { hasText: each === on ? "People are told when something waits for them." : "Nobody is told when something waits for them." })).toBeVisible();
    }

    await page.goto("/alerts");
    await expect(page.getByText("Only to mailboxes yet.")).toBeVisible();
    await page.getByLabel("Name", { exact: true }).fill("On call");
    await page.getByLabel("Address", { exact: true }).fill("http://127.0.0.1:1/hook");
    await page.getByRole("button", { name: "Add destination" }).click();
    await expect(page.getByRole("alert").filter({ hasText: "private_addresses" })).toBeVisible();
    await page.getByLabel("Address", { exact: true }).fill(receiver.url);
    await page.getByRole("button", { name: "Add destination" }).click();
    await expect(page.getByRole("heading", { name: "The secret of On call" })).toBeFocused();
    const secret = await page.locator("code", { hasText: "whsec_" }).innerText();
    await inspect(page, "destination-secret");
    await page.getByRole("button", { name: "I have copied it" }).click();
    await expect(page.getByText(secret)).toHaveCount(0);

    receiver.status = 500;
    await page.getByRole("button", { name: "Send a test to On call" }).click();
    await expect(page.getByText("On call did not take it: it answered 500").first()).toBeVisible();
    receiver.status = 200;
    await page.getByRole("button", { name: "Send a test to On call" }).click();
    await expect(page.getByText("On call has taken a test.").first()).toBeVisible();
    await page.getByLabel("When", { exact: true }).selectOption("exported");
    await page.getByLabel("Tell", { exact: true }).selectOption("On call");
    await page.getByRole("button", { name: "Add alert" }).click();
    await expect(page.getByText("On call is told from now on.").first()).toBeVisible();
    await inspect(page, "alerts-destinations");

    await page.goto("/audit");
    await page.getByRole("button", { name: "Send the log to On call" }).click();
    await expect(page.getByText("From now on the log goes to On call, too.").first()).toBeVisible();
    await inspect(page, "audit-stream");
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "What is found, as a table" }).click();
    await download;
    const types = () => receiver.came.map((each) => String((JSON.parse(each.body) as { type: string }).type));
    await expect.poll(types, { timeout: 30_000 }).toEqual(expect.arrayContaining(["test", "alert", "audit"]));
    for (const each of receiver.came) expect(isSigned(each, secret)).toBe(true);

    await page.goto("/alerts");
    await page.getByRole("button", { name: "Remove On call", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await expect(page.getByText("On call is removed.").first()).toBeVisible();
    await expect(page.getByText("Nobody is told of anything yet.")).toBeVisible();
    expectClean(own);
  } finally {
    await receiver.stop();
    await own.context.close();
  }
});
