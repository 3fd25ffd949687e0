import { expect, join, test } from "./person";
import { connectService, removeService } from "./services";
import { expectClean, inspect } from "./watched";

test("what is shared is passed on, seen by its owner, and taken back by whoever passed it on", async ({ anna, browser }, { retry }) => {
  const { page } = anna;
  const bruno = await join(anna, browser, "Bruno Berg", `bruno.berg.${retry}@example.org`, "five cold harbours waiting");
  const carla = await join(anna, browser, "Carla Curie", `carla.curie.${retry}@example.org`, "six bright kettles singing");
  await connectService(page, "diary", "Key of the diary", "diary-canary-0123456789");

  // Anna lets Bruno look at it, and pass it on.
  await page.goto("/shared");
  await page.getByRole("button", { name: "Share something" }).click();
  await page.getByLabel("With whom?").selectOption({ label: "Bruno Berg" });
  await page.getByLabel("What?").selectOption("diary");
  const sentence = page.getByText("Bruno Berg and their agent may look at diary until");
  await expect(sentence).not.toContainText("pass it on");
  await page.getByLabel("They may pass it on").check();
  await expect(sentence).toContainText("and Bruno Berg may pass it on.");
  await inspect(page, "share-to-pass-on");
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await expect(page.getByText("diary with Bruno Berg")).toBeVisible();

  // Bruno passes it on to Carla, who may not.
  await bruno.page.goto("/shared");
  await bruno.page.getByRole("button", { name: "Pass it on: diary of Anna Keller" }).click({ timeout: 60_000 });
  await bruno.page.getByLabel("To whom?").selectOption({ label: "Carla Curie" });
  await expect(bruno.page.getByText("Carla Curie and their agent may look at diary until")).toBeVisible();
  await inspect(bruno.page, "pass-on-form");
  await bruno.page.getByRole("button", { name: "Pass it on", exact: true }).click();
  await expect(bruno.page.getByText("diary of Anna Keller with Carla Curie")).toBeVisible();

  // Carla sees from whom it came and whose it is, and reads it through Anna's vault.
  await carla.page.goto("/shared");
  await expect(carla.page.getByText("Bruno Berg passed it on to you. It belongs to Anna Keller")).toBeVisible({ timeout: 60_000 });
  await expect(carla.page.getByRole("button", { name: /^Pass it on/ })).toHaveCount(0);
  await carla.page.getByRole("button", { name: "Look at it: diary of Anna Keller" }).click();
  await carla.page.getByLabel("Which part of diary?").fill("/models");
  await carla.page.getByRole("button", { name: "Read", exact: true }).click();
  const answer = carla.page.getByRole("region", { name: "Answer of diary of Anna Keller" });
  await expect(answer).toContainText("scripted", { timeout: 60_000 });
  await expect(answer).not.toContainText("diary-canary");
  await inspect(carla.page, "passed-on-received");

  // Anna sees it; Bruno takes it back, and goes on himself.
  const links = page.getByRole("list", { name: "To whom diary was passed on" });
  await expect(links).toContainText("Bruno Berg passed it on to Carla Curie", { timeout: 60_000 });
  await expect(links).toContainText("Used once", { timeout: 60_000 });
  await inspect(page, "passed-on-given");
  await bruno.page.getByRole("button", { name: "Stop sharing diary of Anna Keller with Carla Curie" }).click();
  await bruno.page.getByRole("dialog").getByRole("button", { name: "Stop sharing" }).click();
  await expect(carla.page.locator(".row-head", { hasText: "diary of Anna Keller" }).getByText("Stopped")).toBeVisible({ timeout: 60_000 });
  await expect(links.getByText("Stopped")).toBeVisible({ timeout: 60_000 });
  await bruno.page.getByRole("button", { name: "Look at it: diary of Anna Keller" }).click();
  await bruno.page.getByLabel("Which part of diary?").fill("/models");
  await bruno.page.getByRole("button", { name: "Read", exact: true }).click();
  await expect(bruno.page.getByRole("region", { name: "Answer of diary of Anna Keller" })).toContainText("scripted", { timeout: 60_000 });

  await page.getByRole("button", { name: "Stop sharing diary with Bruno Berg" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop sharing" }).click();
  await expect(bruno.page.getByText("Stopped").first()).toBeVisible({ timeout: 60_000 });
  for (const person of [bruno, carla]) {
    expectClean(person);
    await person.context.close();
  }
  await removeService(page, "diary");
});
