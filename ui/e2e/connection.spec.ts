import type { WebSocketRoute } from "@playwright/test";
import { answered, answers, composer, quiet, send } from "./conversation";
import { expect, test } from "./person";
import { expectClean, inspect, watchedToo } from "./watched";

/** Said by Chromium itself of a connection that this test cuts or refuses. */
const CUT = /WebSocket connection to '[^']*\/api\/v1\/channel' failed/;

test("a connection that breaks while a message is on its way leaves one message, and says how it stands meanwhile", async ({ anna: { context, page } }) => {
  // A second tab, whose connection can be muted, cut and refused; the first one goes on beside it.
  const second = await watchedToo(context, [CUT]);
  const tab = second.page;
  let refuses = false;
  let mute = false;
  const open = new Set<{ near: WebSocketRoute; far: WebSocketRoute }>();
  await tab.routeWebSocket(/\/api\/v1\/channel$/, (near) => {
    if (refuses) {
      void near.close({ code: 1011 });
      return;
    }
    const far = near.connectToServer();
    far.onMessage((message) => {
      if (!mute) near.send(message);
    });
    near.onMessage((message) => far.send(message));
    open.add({ near, far });
  });
  const cut = async () => {
    for (const { near, far } of open) await Promise.all([near.close({ code: 1011 }), far.close()]);
    open.clear();
  };

  await tab.goto("/");
  await expect(composer(tab)).toBeVisible({ timeout: 60_000 });
  await send(tab, "[[say: Before the tunnel.]]");
  await answered(tab, "Before the tunnel.");
  await quiet(tab);

  mute = true;
  await send(tab, "[[say: Sent into the tunnel.]]");
  await expect(tab.getByText("Sending…")).toBeVisible();
  refuses = true;
  await cut();
  await expect(tab.getByText(/Delivery unconfirmed/)).toBeVisible();
  await expect(tab.getByText(/Connection lost\. Next try in \d+ s/).first()).toBeVisible();
  await inspect(tab, "unconfirmed");

  // What is typed now waits behind it.
  await send(tab, "[[say: Written in the dark.]]");
  await expect(tab.getByText("Waiting for the connection")).toBeVisible();

  // The next try by itself is far enough away for somebody to press before it.
  await expect(tab.getByText(/Next try in ([4-9]|\d\d) s/).first()).toBeVisible({ timeout: 30_000 });
  mute = false;
  refuses = false;
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
  expectClean(second);
  await tab.close();
});
