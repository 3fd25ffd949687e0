import type { Locator, Page } from "@playwright/test";
import { answered, answers, composer, newConversation, quiet, send } from "./conversation";
import { control, modelUrl } from "./model";
import { COLD_START_MS, expect, test } from "./person";
import { inspect } from "./watched";

/** The agent tries to fetch a page; what it was told. */
async function fetches(page: Page, url: string): Promise<Locator> {
  await newConversation(page);
  await send(page, `[[tool: exec {"command":"curl -sS -m 30 ${url}"}]] [[say: I have tried.]]`);
  const answer = await answered(page, "I have tried.");
  await answer.locator("details.tool summary").click();
  await quiet(page);
  return answer.getByRole("region", { name: "Output" });
}

async function mayConnect(page: Page, mode: string, hosts?: string): Promise<void> {
  await page.goto("/services");
  await page.getByText(mode, { exact: true }).click();
  if (hosts !== undefined) await page.getByLabel("Hosts, one a line").fill(hosts);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.locator(".notice-ok", { hasText: "Saved." })).toBeVisible();
}

test("the agent connects only where its owner lets it, and what was refused is said to it and noted", async ({ anna: { page } }) => {
  await mayConnect(page, "Only to these", "*.pages.example");
  await inspect(page, "egress-allow-list");
  // Allowed, and there is no such name.
  await expect(await fetches(page, "http://a.pages.example/")).toContainText("is not known");
  await expect(await fetches(page, "http://elsewhere.example/")).toContainText("the owner of this vault has not allowed elsewhere.example:80");
  await mayConnect(page, "Nowhere");
  await expect(await fetches(page, "http://a.pages.example/")).toContainText("the owner of this vault has not allowed a.pages.example:80");
  await mayConnect(page, "Anywhere on the internet");
  await expect(await fetches(page, "http://10.0.0.1/")).toContainText("address_refused");
  await page.goto("/activity");
  await page.getByText("Refused", { exact: true }).click();
  for (const words of [/tried to reach elsewhere\.example:80: not on the list/, /tried to reach a\.pages\.example:80: nothing is allowed/, /tried to reach 10\.0\.0\.1:80/]) await expect(page.locator(".log").getByText(words).first()).toBeVisible();
  await inspect(page, "activity-refused");
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
});

/** What an owner lets their agent spend in a day, in dollars. */
async function mostInADay(page: Page, amount: string): Promise<void> {
  await page.goto("/models");
  await page.getByLabel("At most in a day, in US dollars").fill(amount);
  await page.locator("form").filter({ hasText: "At most in a day" }).getByRole("button", { name: "Save" }).click();
  await expect(page.locator(".notice-ok", { hasText: "It holds for the next call." })).toBeVisible();
}

async function priced(page: Page, dollars: string): Promise<void> {
  await page.goto("/models");
  await page.getByRole("button", { name: "Change scripted" }).first().click();
  await page.getByLabel("What it reads", { exact: true }).fill(dollars);
  await page.getByLabel("What it writes").fill(dollars);
  await page.locator("hf-provider-form").getByRole("button", { name: "Save" }).click();
  await expect(page.locator("hf-provider-form")).toHaveCount(0);
}

test("a call that could pass a spending limit is refused and says so, and once the limit is raised the same message is answered", async ({ anna: { page } }) => {
  await priced(page, "");
  await page.getByLabel("At most in a day, in US dollars").fill("0.001");
  await expect(page.getByText("set the price of scripted")).toBeVisible();
  await priced(page, "1");
  await expect(page.getByText(/\$1\.00 for a million tokens read, (US)?\$1\.00 written/)).toBeVisible();
  await mostInADay(page, "0.001");
  await page.goto("/");
  await newConversation(page);
  await send(page, "[[say: That was worth it.]]");
  const refused = answers(page).filter({ hasText: "The spending limit of this day is" });
  await expect(refused).toContainText("No call was made.", { timeout: COLD_START_MS });
  await inspect(page, "spending-limit");
  const address = page.url();
  await mostInADay(page, "50");
  await page.goto(address);
  await page.getByRole("button", { name: "Answer again" }).click();
  await answered(page, "That was worth it.");
  await quiet(page);

  await page.goto("/models");
  await expect(page.getByRole("region", { name: "Calls and cost of each model" }).getByRole("row").last()).toContainText("scripted");
  await expect(page.getByText(/Today: (US)?\$0\.\d+ of (US)?\$50\.00/)).toBeVisible();
  await inspect(page, "models");
  await page.goto("/activity");
  await page.getByText("Refused", { exact: true }).click();
  await expect(page.locator(".log").getByText("a call to the model: over the limit of the day").first()).toBeVisible();
  await mostInADay(page, "");
  await priced(page, "");
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
});

/** Which protocols the last calls to the scripted model came in, the newest last. */
async function asked(words: string): Promise<string[]> {
  const { requests } = (await (await control("requests", "GET")).json()) as { requests: { protocol: string; asked: string }[] };
  return requests.filter((each) => each.asked.includes(words)).map((each) => each.protocol);
}

test("the models are asked in their owner's order, and when one is down the next one answers", async ({ anna: { page } }) => {
  // Another order starts the agent anew, and a turn that runs then is interrupted.
  await page.goto("/");
  await expect(page.getByText("Agent ready")).toBeVisible({ timeout: COLD_START_MS });
  await page.goto("/models");
  await page.getByRole("button", { name: "Add another model" }).click();
  const form = page.locator("hf-provider-form");
  await form.getByText("Anthropic-compatible", { exact: true }).click();
  await form.getByLabel("Base URL").fill(modelUrl);
  await form.getByLabel(/^API key/).fill("demo");
  await form.getByLabel("Model", { exact: true }).fill("scripted");
  await form.getByRole("button", { name: "Test" }).click();
  await expect(form.getByText("It works")).toBeVisible({ timeout: 60_000 });
  await inspect(page, "model-added");
  await form.getByRole("button", { name: "Save" }).click();
  const rows = page.locator("section").filter({ hasText: "In this order" }).getByRole("listitem");
  await expect(rows).toHaveCount(2);
  await expect(rows.last()).toContainText("If those before it fail");

  const says = async (words: string): Promise<string[]> => {
    await page.goto("/");
    await newConversation(page);
    await send(page, `[[say: ${words}]]`);
    await answered(page, words);
    await quiet(page);
    return asked(words);
  };
  expect(new Set(await says("The first is asked.")), "the first alone").toEqual(new Set(["openai"]));
  await control("down/503?protocol=openai", "POST");
  try {
    expect((await says("The second steps in.")).at(-1), "the next").toBe("anthropic");
  } finally {
    await control("down", "DELETE");
  }

  await page.goto("/models");
  await rows.last().getByRole("button", { name: "Ask scripted earlier" }).click();
  await expect(rows.first()).toContainText(modelUrl);
  await expect(rows.first().getByText(`${modelUrl}/v1`)).toHaveCount(0);
  expect(new Set(await says("The other is first now.")), "the order was changed").toEqual(new Set(["anthropic"]));

  await page.goto("/models");
  await rows.first().getByRole("button", { name: "Remove scripted" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(rows).toHaveCount(1);
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
});
