import type { Locator, Page } from "@playwright/test";
import { answered, answers, composer, newConversation, quiet, recordAnnouncements, send } from "./conversation";
import { control } from "./model";
import { COLD_START_MS, expect, lock, test, unlock } from "./person";
import { expectAccessible, expectClean, inspect, shot, watched } from "./watched";

test("a message that was typed while the agent starts goes out when it is ready", async ({ anna: { page, password } }) => {
  await page.goto("/");
  // Whatever ran before, the agent sleeps now, so that it has to start.
  await expect(page.getByText(/^Agent (ready|rests)/)).toBeVisible({ timeout: COLD_START_MS });
  await lock(page);
  await unlock(page, password);
  const card = page.getByRole("region", { name: "Your agent is starting" });
  await expect(card).toBeVisible({ timeout: 60_000 });
  await send(page, "[[say: I am awake.]]");
  await expect(card).toContainText("Starting your agent");
  await expect(card.locator(".seconds")).toContainText(/\d+ s/);
  await expect(card.locator("[aria-current=step]")).toHaveCount(1);
  await expectAccessible(page, "the start card");
  await shot(page, "start-card");
  await answered(page, "I am awake.");
  await expect(page.getByText("Agent ready")).toBeVisible();
});

test("an answer streams word by word, and a screen reader hears its start and its end", async ({ anna: { page } }) => {
  await newConversation(page);
  const heard = await recordAnnouncements(page);
  await send(page, "[[slow: 30 chunks every 120ms]]");
  const answer = answers(page).last();
  await expect(answer.locator("hf-markdown")).toBeVisible({ timeout: COLD_START_MS });
  const lengths = new Set<number>();
  await expect
    .poll(async () => {
      lengths.add((await answer.innerText()).length);
      return answer.getAttribute("class");
    }, { intervals: [60], timeout: 60_000 })
    .toContain("done");
  expect(lengths.size, "the answer was seen growing").toBeGreaterThan(4);
  const words = await heard();
  expect(words.some((each) => each === "Sent")).toBe(true);
  expect(words.at(-1)).toMatch(/^Answer finished\. /);
  expect(words.filter((each) => each.startsWith("Answer finished")), "its end is said once").toHaveLength(1);
  expect(words.filter((each) => !each.startsWith("Still ")).length, "not every word is read out").toBeLessThan(6);
  await expect(page.getByRole("log")).toHaveAttribute("aria-live", "off");
});

test("a screen reader is read the whole answer where its person wants that", async ({ anna: { page } }) => {
  const whole = page.getByLabel("Read me whole answers");
  await page.goto("/me");
  await whole.check();
  await page.reload();
  await expect(whole).toBeChecked();
  await page.getByRole("navigation", { name: "Conversations and pages" }).getByRole("button", { name: "New conversation" }).click();
  const heard = await recordAnnouncements(page);
  await send(page, "[[say: One sentence. And **another** one.]]");
  await expect.poll(heard, { timeout: COLD_START_MS }).toContain("Answer finished. One sentence. And another one.");
  await page.goto("/me");
  await whole.uncheck();
  await page.goto("/");
});

test("a tool call is one line that folds out to its input and output", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, 'Please look. [[tool: exec {"command":"echo from-the-tool"}]] [[say: The tool has answered.]]');
  const answer = await answered(page, "The tool has answered.");
  const row = answer.locator("details.tool").first();
  await expect(row).toContainText("Ran a command");
  await expect(row).not.toHaveAttribute("open");
  await row.locator("summary").click();
  await expect(row.getByRole("region", { name: "Input" })).toContainText("echo from-the-tool");
  await expect(row.getByRole("region", { name: "Output" })).toContainText("from-the-tool");
  await inspect(page, "tool-call");

  // Asking again may do again what was done: only after a word.
  await quiet(page);
  const again = page.getByRole("button", { name: "Answer again" });
  const question = page.getByRole("dialog", { name: "Answer again?" });
  await again.click();
  await expect(question).toContainText("In this answer your agent used tools. Answering again may do the same things a second time.");
  await expectAccessible(page, "the question before answering again");
  await question.getByRole("button", { name: "Cancel" }).click();
  await expect(question).toHaveCount(0);
  await expect(page.locator(".outgoing")).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Stop" })).toHaveCount(0);
  await expect(again).toBeFocused();
  const heard = await recordAnnouncements(page);
  await again.click();
  await question.getByRole("button", { name: "Answer again" }).click();
  await expect.poll(heard, { timeout: COLD_START_MS }).toContainEqual(expect.stringMatching(/^Answer finished\. The tool has answered\./));
  await expect(page.locator(".message.user")).toHaveCount(1);
});

test("Markdown is shown as code, tables and safe links, and never as HTML", async ({ anna: { page } }) => {
  await newConversation(page);
  const text = [
    "Here is what I found in your **workspace**, and a script that sorts it:",
    "",
    "```python",
    "from pathlib import Path",
    "",
    "def largest(folder: Path, count: int = 5) -> list[Path]:",
    '    """The largest files below a folder."""',
    '    files = [p for p in folder.rglob("*") if p.is_file()]',
    "    return sorted(files, key=lambda p: p.stat().st_size, reverse=True)[:count]",
    "```",
    "",
    "| File | Size | Changed |",
    "|---|---:|---|",
    "| `report-2026.pdf` | 4.2 MB | yesterday |",
    "| `photos.zip` | 812 MB | last week |",
    "",
    "Nothing was deleted. <b>Not bold</b>, <img src=x onerror=alert(1)>, a [good link](https://example.org/), a [bad link](javascript:alert(1)) and a picture: ![a chart](https://example.org/chart.png)",
  ].join("\n");
  await send(page, `Which files are the largest? [[say: ${text}]]`);
  const answer = await answered(page, "Nothing was deleted.");
  await expect(answer.locator("pre .hljs-keyword").first()).toHaveText("from");
  await expect(answer.getByRole("table")).toContainText("report-2026.pdf");
  await expect(answer).toContainText("<b>Not bold</b>");
  await expect(answer.locator("img, b, script")).toHaveCount(0);
  await expect(answer.getByRole("link", { name: "good link" })).toHaveAttribute("rel", /noopener/);
  await expect(answer.getByRole("link", { name: "bad link" })).toHaveCount(0);
  await expect(answer.getByRole("link", { name: /a chart/ })).toContainText("opens example.org");
  await quiet(page);
  await inspect(page, "markdown");
});

test("history is there after a reload, and the address leads to the conversation", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, "[[say: Remember the blue door.]]");
  await answered(page, "Remember the blue door.");
  await quiet(page);
  await expect(page).toHaveURL(/\/c\//);
  await page.reload();
  await answered(page, "Remember the blue door.");
});

test("a running answer goes on through a reload", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, "[[slow: 60 chunks every 150ms]] [[say: The very end.]]");
  await expect(answers(page).last().locator("hf-markdown")).toBeVisible({ timeout: COLD_START_MS });
  await page.reload();
  await expect(answers(page).last()).toBeVisible();
  await answered(page, "The very end.");
  await expect(answers(page)).toHaveCount(1);
});

test("stopping keeps what was said", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, "[[slow: 200 chunks every 150ms]]");
  await expect(answers(page).last().locator("hf-markdown")).toBeVisible({ timeout: COLD_START_MS });
  await composer(page).press("Escape");
  await expect(page.getByText("You stopped this answer.")).toBeVisible();
  await expect(answers(page).last().locator("hf-markdown")).not.toBeEmpty();
  await quiet(page);
  await inspect(page, "stopped");
});

test("a failed answer says why", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, "[[fail: 400 this request is not understood]]");
  await expect(answers(page).getByText("The answer failed.", { exact: true })).toBeVisible({ timeout: COLD_START_MS });
  await inspect(page, "failed");
});

test("one's own message can be edited and sent again, and an answer asked for again", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, "[[say: First answer.]]");
  await answered(page, "First answer.");
  await quiet(page);
  await composer(page).press("ArrowUp");
  const editor = page.getByLabel("Edit your message");
  await expect(editor).toBeFocused();
  await editor.fill("[[say: Second answer.]]");
  await editor.press("Enter");
  await answered(page, "Second answer.");
  await expect(answers(page).filter({ hasText: "First answer." })).toHaveCount(0);
  await quiet(page);
  await page.getByRole("button", { name: "Answer again" }).click();
  await expect.poll(() => answers(page).filter({ hasText: "Second answer." }).count(), { timeout: 60_000 }).toBe(1);
  await quiet(page);
  await expect(page.locator(".message.user")).toHaveCount(1);
  await page.reload();
  await answered(page, "Second answer.");
  await expect(answers(page).filter({ hasText: "First answer." })).toHaveCount(0);
});

/** In the page: as where a browser has no room left, until it is loaded again. */
function storesNoMessages(): void {
  const stores = IDBObjectStore.prototype;
  const put = stores.put;
  stores.put = function (this: IDBObjectStore, ...what: Parameters<IDBObjectStore["put"]>) {
    if (this.name === "outbox") throw new DOMException("There is no room.", "QuotaExceededError");
    return put.apply(this, what);
  };
}

test("messages that are sent while an answer runs wait their turn", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, "[[say: Let me think. ]] [[hold: their-turn]]");
  await expect(answers(page).last()).toContainText("Let me think.", { timeout: COLD_START_MS });
  // A browser that stores nothing more says so beside what it cannot keep, and sends it all the same.
  await page.evaluate(storesNoMessages);
  await send(page, "[[say: Now it is my turn.]]");
  await expect(page.getByText("Goes out when the answer is finished")).toBeVisible();
  await expect(page.locator(".outgoing .notice-warn", { hasText: "This message is only in this page" })).toBeVisible();
  await inspect(page, "waits-only-here");
  await control("release/their-turn", "POST");
  await answered(page, "Now it is my turn.");
  await expect(page.locator(".message.user")).toHaveCount(2);
  await page.reload();
  await answered(page, "Now it is my turn.");
});

test("scrolling is never stolen, and one button leads to the end", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, "[[long: 900 words]] [[slow: 1200 chunks every 10ms]] [[say: At last.]]");
  await expect(answers(page).last().locator("hf-markdown")).toBeVisible({ timeout: COLD_START_MS });
  const thread = page.locator(".thread");
  const latest = page.getByRole("button", { name: "Latest" });
  const top = () => thread.evaluate((box) => box.scrollTop);
  const below = () => thread.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  await expect.poll(() => thread.evaluate((box) => box.scrollHeight - box.clientHeight)).toBeGreaterThan(300);

  // Also by less than a line or two, while more is being written.
  await thread.hover();
  const before = await top();
  await page.mouse.wheel(0, -30);
  await expect.poll(below, { message: "what is written goes on below" }).toBeGreaterThan(150);
  const there = await top();
  expect(there).toBeGreaterThan(before - 60);
  await expect(latest).toBeVisible();
  await expect.poll(below).toBeGreaterThan(300);
  expect(await top(), "it stays where it was put").toBe(there);

  await thread.evaluate((box) => box.scrollTo(0, 10));
  await latest.click();
  await expect.poll(below).toBeLessThan(60);
  await expect(latest).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Stop" }), "while it is being written still").toBeVisible();
  await answered(page, "At last.");
  await quiet(page);
  expect(await below(), "the end was followed to its end").toBeLessThan(60);
  await expect(latest).toHaveCount(0);

  // Nothing brings back who reads the beginning.
  await send(page, "[[slow: 40 chunks every 50ms]] [[say: Once more.]]");
  await expect(page.getByRole("button", { name: "Stop" })).toBeVisible();
  await thread.evaluate((box) => box.scrollTo(0, 10));
  await answered(page, "Once more.");
  expect(await top()).toBeLessThan(60);
  await latest.click();
  await expect.poll(below).toBeLessThan(60);
});

test("conversations are switched, renamed, found and deleted, each with its own draft", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(page, "Alpha [[say: Answer to alpha.]]");
  await answered(page, "Answer to alpha.");
  await quiet(page);
  await composer(page).fill("a draft for alpha");
  const alpha = page.url();
  await newConversation(page);
  await expect(composer(page)).toHaveValue("");
  await send(page, "Beta [[say: Answer to beta.]]");
  await answered(page, "Answer to beta.");
  await quiet(page);
  await page.getByRole("navigation", { name: "Conversations and pages" }).getByRole("link", { name: /Alpha/ }).first().click();
  await expect(page).toHaveURL(alpha);
  await answered(page, "Answer to alpha.");
  await expect(answers(page).filter({ hasText: "Answer to beta." })).toHaveCount(0);
  await expect(composer(page)).toHaveValue("a draft for alpha");

  const row = page.locator(".conversation.current");
  await row.hover();
  await row.getByRole("button", { name: /^Rename/ }).click();
  await page.getByRole("dialog").getByLabel("Title").fill("The letter A");
  await expectAccessible(page, "the dialog for renaming");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("link", { name: "The letter A" })).toBeVisible();

  await page.getByLabel("Find a conversation").fill("letter a");
  await expect(page.locator(".conversation")).toHaveCount(1);
  await page.getByLabel("Find a conversation").fill("");

  await row.hover();
  await row.getByRole("button", { name: /^Delete/ }).click();
  await expectAccessible(page, "the question before deleting");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("link", { name: "The letter A" })).toBeVisible();
  await row.hover();
  await row.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("link", { name: "The letter A" })).toHaveCount(0);
  await page.reload();
  await expect(composer(page)).toBeVisible();
  await expect(page.getByRole("link", { name: "The letter A" })).toHaveCount(0);
});

/** Presses a key until what stands there has the focus; says what had it on the way. */
async function walkTo(page: Page, key: "Tab" | "Shift+Tab", end: Locator): Promise<void> {
  const way: string[] = [];
  for (let steps = 0; steps < 400; steps++) {
    if (await end.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press(key);
    way.push(await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent?.trim().slice(0, 30) ?? ""));
  }
  throw new Error(`${key} does not lead there, but to: ${way.join(" · ")}`);
}

test("a chat is held with the keyboard alone, and the focus is never lost", async ({ anna: { page } }) => {
  const { keyboard } = page;
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
  await keyboard.press("Control+Shift+O");
  await expect(page.getByRole("heading", { name: /^Hello/ })).toBeVisible();
  await expect(composer(page)).toBeFocused();
  await keyboard.type("By keyboard [[say: Heard and answered.]]");
  await keyboard.press("Enter");
  await answered(page, "Heard and answered.");
  await quiet(page);
  await expect(composer(page)).toBeFocused();

  // Back through the thread and the list to the top, and past the list down again.
  const own = page.locator(".message.user");
  await walkTo(page, "Shift+Tab", own.getByRole("button", { name: "Edit and send again" }));
  await expect(own.locator(".message-actions"), "what has the focus is seen").toHaveCSS("opacity", "1");
  const skip = page.getByRole("link", { name: "Skip to the conversation" });
  await walkTo(page, "Shift+Tab", skip);
  await expect(skip).toBeInViewport();
  await keyboard.press("Enter");
  await expect(page.locator("#main")).toBeFocused();
  await walkTo(page, "Tab", composer(page));

  // To another conversation, and back.
  await keyboard.press("Control+k");
  const find = page.getByLabel("Find a conversation");
  await expect(find).toBeFocused();
  await keyboard.type("by keyboard");
  const row = page.locator(".conversation").first();
  await expect(page.locator(".conversation").filter({ hasNotText: "By keyboard" })).toHaveCount(0);
  await walkTo(page, "Tab", row.getByRole("button", { name: /^Rename/ }));
  await keyboard.press("Enter");
  await expect(page.getByRole("dialog").getByLabel("Title")).toBeFocused();
  await keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(row.getByRole("button", { name: /^Rename/ })).toBeFocused();
  await walkTo(page, "Shift+Tab", row.getByRole("link"));
  await keyboard.press("Enter");
  await expect(page).toHaveURL(/\/c\//);
  await answered(page, "Heard and answered.");
  await walkTo(page, "Shift+Tab", find);
  await keyboard.press("Control+A");
  await keyboard.press("Delete");
  await walkTo(page, "Tab", composer(page));
});

test("on a phone one writes, reads and changes conversations by touch", async ({ anna, browser }) => {
  const { cookies } = await anna.context.storageState();
  const phone = await watched(await browser.newContext({ storageState: { cookies, origins: [] }, viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }));
  const { page } = phone;
  await page.goto("/");
  await unlock(page, anna.password);
  const list = page.getByRole("navigation", { name: "Conversations and pages" });
  const open = page.getByRole("button", { name: "Conversations", exact: true });
  await expect(list).toBeHidden();

  await page.locator(".top").getByRole("button", { name: "New conversation" }).tap();
  for (const words of ["First thing", "Second thing"]) {
    await expect(page.getByRole("heading", { name: /^Hello/ })).toBeVisible();
    await composer(page).tap();
    await page.keyboard.type(`${words} [[say: Answer to ${words}.]]`);
    await page.getByRole("button", { name: "Send", exact: true }).tap();
    await answered(page, `Answer to ${words}.`);
    await quiet(page);
    if (words === "First thing") await page.locator(".top").getByRole("button", { name: "New conversation" }).tap();
  }

  await open.tap();
  await expect(open).toHaveAttribute("aria-expanded", "true");
  await expect(list).toBeInViewport();
  await expectAccessible(page, "the list on a phone");
  await shot(page, "phone-list");
  await list.getByRole("link", { name: /^First thing/ }).first().tap();
  await expect(list).toBeHidden();
  await expect(open).toHaveAttribute("aria-expanded", "false");
  await answered(page, "Answer to First thing.");
  await expect(answers(page).filter({ hasText: "Answer to Second thing." })).toHaveCount(0);

  // Beside the list it closes without another choice.
  await open.tap();
  await expect(list).toBeInViewport();
  await page.touchscreen.tap(380, 400);
  await expect(list).toBeHidden();
  await page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link", { name: /^Me/ }).tap();
  await expect(page.getByRole("heading", { name: "Me", exact: true })).toBeVisible();
  await page.goBack();
  await answered(page, "Answer to First thing.");
  expectClean(phone);
  await phone.context.close();
});

test("the empty chat and the page of an unknown conversation say what to do", async ({ anna: { page } }) => {
  await newConversation(page);
  await inspect(page, "empty-chat");
  await page.goto("/nothing-here");
  await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
  await inspect(page, "not-found");
  await page.goto(`/c/${crypto.randomUUID()}`);
  await expect(page.getByRole("alert").filter({ hasText: "This conversation does not exist any more." })).toBeVisible({ timeout: COLD_START_MS });
  await inspect(page, "conversation-gone");
  await page.goto("/");
});

test("the README's picture of a chat", async ({ anna: { page } }) => {
  await newConversation(page);
  await send(
    page,
    'Which of my reports is the newest, and what does it say? [[tool: exec {"command":"ls -t ~/.openclaw/workspace | head -5"}]] [[say: The newest is **report-november.md**. In short:\n\n| Month | Orders | Change |\n|---|---:|---:|\n| October | 1,204 | +3 % |\n| November | 1,391 | +16 % |\n\nThis prints the same from the file:\n\n```python\nimport csv\n\nfor row in csv.DictReader(open("orders.csv")):\n    print(f"{row[\'month\']:>10}  {row[\'orders\']}")\n```\n\nShall I write the summary for the team?]]',
  );
  await answered(page, "Shall I write the summary");
  await quiet(page);
  await page.mouse.move(0, 0);
  await page.locator("pre .hljs-keyword").first().waitFor();
  await page.screenshot({ path: "../docs/images/chat.png", animations: "disabled" });
});

test("a conversation that is longer than a page is read back to its beginning, and a long letter stands there as it was written", async ({ anna: { page } }) => {
  await newConversation(page);
  // Longer than what OpenClaw lists of one message, and three of them longer than a page; two bytes a letter, so that the model has room for all.
  const letter = (name: string): string => `${name}: ${"é".repeat(88_000)} (end of ${name})`;
  const letters = ["The first letter", "The second letter", "The third letter"];
  for (const name of letters) {
    await send(page, `[[say: I have read it: ${name}.]] ${letter(name)}`);
    await answered(page, `I have read it: ${name}.`);
    await quiet(page);
  }
  await page.reload();
  await answered(page, "I have read it: The third letter.");
  const own = page.locator(".message.user .bubble");
  const first = own.filter({ hasText: "(end of The first letter)" });
  await expect(own.last()).toContainText("(end of The third letter)");
  await expect(first).toHaveCount(0);
  const more = page.getByRole("button", { name: "Show earlier messages" });
  const end = (): Promise<number> => own.filter({ hasText: "(end of The second letter)" }).evaluate((bubble) => bubble.getBoundingClientRect().bottom);
  await page.locator(".thread").evaluate((box) => box.scrollTo(0, 0));
  const before = await end();
  await more.click();
  await expect(first).toHaveCount(1);
  await expect(more).toHaveCount(0);
  expect(await first.textContent()).toContain(letter("The first letter"));
  await expect.poll(async () => Math.abs((await end()) - before), { message: "what was read stays where it was" }).toBeLessThan(4);
});
