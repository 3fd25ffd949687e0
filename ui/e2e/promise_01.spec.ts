import type { Page } from "@playwright/test";
import { isSaid, isSecret, look } from "./canaries";
import { answered, composer, newConversation, quiet, send } from "./conversation";
import { asleep, COLD_START_MS, expect, test, unlock } from "./person";
import { addSecret } from "./services";
import { expectClean, watchedToo } from "./watched";

test("promise_01_what_a_person_types_and_is_answered_leaves_their_browser_sealed_only", async ({ anna }) => {
  const { page, password, phrase } = anna;
  // The owner's set-up was looked through already, or is now: with the password, the phrase and the model's key.
  expect((await look()).found).toEqual([]);
  expect(phrase.split(" ")).toHaveLength(12);
  await page.goto("/");
  await newConversation(page);
  await send(page, "Where is the ochre lighthouse? [[say: Behind the vermilion dune.]]");
  isSaid("Where is the ochre lighthouse?");
  isSaid("Behind the vermilion dune.");
  await answered(page, "Behind the vermilion dune.");
  await quiet(page);

  isSaid("an edit with cobalt herons");
  await composer(page).press("ArrowUp");
  await page.getByLabel("Edit your message").fill("an edit with cobalt herons");
  isSaid("a draft of saffron kites");
  await composer(page).fill("a draft of saffron kites");

  isSecret("a secret's name", "the indigo harbour account");
  await addSecret(page, "the indigo harbour account", "umber-falcon-7741-9920");
  await expect(page.getByText("the indigo harbour account").first()).toBeVisible();

  await page.goto("/model");
  isSecret("a model's key", "sk-canary-magenta-otter-5512");
  await page.getByLabel(/^API key/).fill("sk-canary-magenta-otter-5512");
  await page.getByRole("button", { name: "Test" }).click();
  await expect(page.locator(".notice-ok, .notice-error").first()).toBeVisible({ timeout: 60_000 });

  await page.goto("/");
  await expect(composer(page)).toBeVisible({ timeout: COLD_START_MS });
  await page.getByRole("button", { name: "Lock now" }).click();
  await asleep(page);
  isSecret("a mistyped password", "purple lamp river sevne");
  await page.getByLabel("Vault password", { exact: true }).fill("purple lamp river sevne");
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await expect(page.locator(".field-error", { hasText: "That is not the password." })).toBeVisible({ timeout: 60_000 });
  await unlock(page, password);

  const { found, looked } = await look();
  expect(found).toEqual([]);
  for (const [how, much] of Object.entries(looked)) expect(much, how).toBeGreaterThan(3);
});

/** In the page: gives these words away in every way that there is. */
async function giveAway(words: string): Promise<void> {
  await fetch(`/api/v1/instance?q=${encodeURIComponent(words)}`);
  await fetch("/api/v1/me", { headers: { "x-note": btoa(`x${words}`) } });
  const csrf = /(?:^|; )holdfast_csrf=([^;]+)/.exec(document.cookie)?.[1] ?? "";
  const answer = await fetch("/api/v1/cell/token", { method: "POST", headers: { "x-csrf-token": csrf, "content-type": "application/json" }, body: JSON.stringify({ words }) });
  const { token } = (await answer.json()) as { token: string };
  await new Promise((resolve) => {
    const socket = new WebSocket("/api/v1/channel", ["holdfast.channel.v1", `holdfast.token.${token}`]);
    socket.onopen = () => {
      socket.send(words);
      socket.send(new TextEncoder().encode(words));
      socket.close();
    };
    socket.onclose = resolve;
  });

  localStorage.setItem("note", words);
  sessionStorage.setItem("note", words);
  document.cookie = `note=${encodeURIComponent(words)}; path=/`;
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
  await new Promise<void>((resolve) => {
    const open = indexedDB.open("canaries", 1);
    open.onupgradeneeded = () => open.result.createObjectStore("notes").put({ bytes: new TextEncoder().encode(words), key }, "note");
    open.onsuccess = () => {
      open.result.close();
      resolve();
    };
  });
}

/** In the page: takes it back. */
function takeBack(): Promise<void> {
  localStorage.removeItem("note");
  sessionStorage.removeItem("note");
  document.cookie = "note=; path=/; max-age=0";
  return new Promise((resolve) => {
    indexedDB.deleteDatabase("canaries").onsuccess = () => resolve();
  });
}

async function foundOf(tab: Page, words: string): Promise<string[]> {
  await tab.evaluate(giveAway, words);
  try {
    return (await look()).found;
  } finally {
    await tab.evaluate(takeBack);
  }
}

test("promise_01_what_leaves_a_browser_unsealed_is_found_wherever_it_goes", async ({ anna: { context, page } }) => {
  await page.goto("about:blank");
  const other = await watchedToo(context);
  await other.page.goto("/");
  await expect(composer(other.page)).toBeVisible({ timeout: 60_000 });
  isSaid("the words of a teal pelican");
  const found = (await foundOf(other.page, "the words of a teal pelican")).map((each) => each.replace(/https?:\/\/[^/]*|ws:\/\/[^/]*/, "").replace(/^what was said, in /, ""));
  expect(found.toSorted()).toEqual(
    [
      "GET /api/v1/instance (requests)",
      "GET /api/v1/me (requests)",
      "POST /api/v1/cell/token (requests)",
      "a text frame of /api/v1/channel (sent)",
      "a binary frame of /api/v1/channel (sent)",
      "IndexedDB notes.bytes (kept)",
      "cookie note (kept)",
      "cookies that scripts read (kept)",
      "localStorage (kept)",
      "sessionStorage (kept)",
      "something that opens the storage, in IndexedDB notes.key, a key (kept)",
    ].toSorted(),
  );
  expectClean(other);
  await other.page.close();
  await page.goto("/");
});
