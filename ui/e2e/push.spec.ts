import type { BrowserContext, CDPSession, Page } from "@playwright/test";
import { newConversation, send } from "./conversation";
import { COLD_START_MS, connectModel, expect, join, signInByMail, test, unlock } from "./person";
import { startReceiver } from "./receiver";
import { connectService } from "./services";
import { expectClean, inspect } from "./watched";

const ASK = '[[tool: holdfast__call_integration {"service":"supper","method":"POST","path":"/things","body":"{}"}]]';

/** What Chromium says by itself where a page asks for a push service: the browsers of the tests keep nothing, as private windows do. */
const NO_PUSH_SERVICE = /does not support the Push API in incognito mode/;

/** Has the browser's worker get a message without content, as its push service would. */
async function deliver(cdp: CDPSession, origin: string, registrationId: string): Promise<void> {
  await cdp.send("ServiceWorker.deliverPushMessage", { origin, registrationId, data: "" });
}

/** Plays the push service that no browser of the tests reaches: what it sends there comes to this address. */
async function withPushService(context: BrowserContext, endpoint: string): Promise<void> {
  await context.addInitScript((at) => {
    const there = () => document.cookie.includes("test-push=on");
    const made = { endpoint: at, unsubscribe: () => ((document.cookie = "test-push=off; path=/"), Promise.resolve(true)) } as unknown as PushSubscription;
    PushManager.prototype.getSubscription = () => Promise.resolve(there() ? made : null);
    PushManager.prototype.subscribe = () => ((document.cookie = "test-push=on; path=/"), Promise.resolve(made));
  }, endpoint);
}

const turnOn = (page: Page) => page.getByRole("button", { name: "Turn on: tell me on this device" });
const turnOff = (page: Page) => page.getByRole("button", { name: "Turn off: tell me on this device" });

test("a device is told that something waits, without a word of it, and a click leads to the inbox", async ({ anna, browser }, { retry }) => {
  const email = `tess-${retry}@example.org`;
  const tess = await join(anna, browser, "Tess Vogel", email, "seven quiet lamps glow", [NO_PUSH_SERVICE]);
  const { page, context, password } = tess;
  await connectModel(page, false);
  const origin = new URL(page.url()).origin;

  await test.step("a browser that is not allowed to says so", async () => {
    await context.grantPermissions([]);
    await page.goto("/me");
    await expect(page.getByText("does not let Holdfast show notifications")).toBeVisible();
    await expect(turnOn(page)).toHaveCount(0);
    await inspect(page, "push-blocked");
  });

  let registrationId = "";
  const cdp = await context.newCDPSession(page);
  cdp.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
    registrationId = registrations.find((each) => !each.isDeleted)?.registrationId ?? registrationId;
  });
  await cdp.send("ServiceWorker.enable");

  await test.step("one without a push service says so", async () => {
    await context.grantPermissions(["notifications"]);
    await page.reload();
    await turnOn(page).click();
    await expect(page.getByRole("alert").filter({ hasText: "does not reach its push service" })).toBeVisible({ timeout: 60_000 });
    await expect(turnOn(page)).toBeEnabled();
    await inspect(page, "push-failed");
  });

  await test.step("a message is shown, and a click on it opens the inbox", async () => {
    await expect.poll(() => registrationId).not.toBe("");
    await deliver(cdp, origin, registrationId);
    const shown = () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).map((each) => `${each.title}: ${each.body}`));
    await expect.poll(shown).toEqual(["Holdfast: Something waits for you."]);
    // One of before gives way.
    const [worker] = context.serviceWorkers();
    const times = () => worker?.evaluate(async () => (await (globalThis as unknown as { registration: ServiceWorkerRegistration }).registration.getNotifications()).map((each) => (each as unknown as { timestamp: number }).timestamp));
    const first = await times();
    await deliver(cdp, origin, registrationId);
    await expect.poll(times).not.toEqual(first);
    expect(await shown()).toEqual(["Holdfast: Something waits for you."]);
    await worker?.evaluate(async () => {
      const scope = globalThis as unknown as { registration: ServiceWorkerRegistration };
      const [notification] = await scope.registration.getNotifications();
      const Event = (globalThis as unknown as { NotificationEvent: new (kind: string, init: object) => Event }).NotificationEvent;
      globalThis.dispatchEvent(new Event("notificationclick", { notification }));
    });
    await expect(page.getByRole("heading", { name: "Inbox" })).toBeVisible();
    await expect.poll(shown).toEqual([]);
  });

  const service = await startReceiver();
  service.status = 201;
  await withPushService(context, service.url);

  await test.step("it is on, and comes when the agent waits and nobody is there", async () => {
    await connectService(page, "supper", "Key of the supper service", "supper-canary-0123456789");
    await page.goto("/me");
    await turnOn(page).click();
    await expect(turnOff(page)).toBeVisible();
    const sent = await page.evaluate(async () => {
      const token = /(?:^|; )holdfast_csrf=([^;]*)/.exec(document.cookie)?.[1] ?? "";
      const headers = { "Content-Type": "application/json", "X-CSRF-Token": token };
      return (await fetch("/api/v1/push/devices", { method: "POST", headers, body: '{"endpoint":"https://push.example/other"}' })).status;
    });
    expect(sent).toBe(201);
    await page.reload();
    await expect(page.getByRole("list", { name: "Other devices that are told" }).getByRole("listitem")).toHaveCount(1, { timeout: 60_000 });
    await inspect(page, "push-on");
    await page.getByRole("button", { name: /^Remove / }).click();
    await expect(page.getByText("Told as well:")).toHaveCount(0);
    await expect(turnOff(page)).toBeVisible();
    await page.goto("/");
    await newConversation(page);
    await send(page, ASK);
    await expect(page.getByRole("region", { name: "Your agent wants to send something to supper." })).toBeVisible({ timeout: COLD_START_MS });
    expect(service.came).toEqual([]);
    await page.goto("about:blank");
    await expect.poll(() => service.came.length, { timeout: 60_000 }).toBe(1);
    const [came] = service.came;
    expect(came?.body).toBe("");
    expect(came?.headers).toMatchObject({ urgency: "high", topic: "waits" });
    expect(came?.headers.authorization).toMatch(/^vapid t=/);
  });

  await test.step("signing out ends it", async () => {
    await page.goto("/me");
    await expect(turnOff(page)).toBeVisible({ timeout: 60_000 });
    await page.getByRole("region", { name: "Leave" }).getByRole("button", { name: "Sign out" }).click();
    await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await expect.poll(() => page.evaluate(() => document.cookie)).toContain("test-push=off");
    await signInByMail(page, email);
    await unlock(page, password);
    await page.goto("/me");
    await expect(turnOn(page)).toBeVisible({ timeout: 60_000 });
    const listed = (await (await page.request.get("/api/v1/push")).json()) as { devices: unknown[] };
    expect(listed.devices).toEqual([]);
  });
  await service.stop();
  expectClean(tess);
  await context.close();
});
