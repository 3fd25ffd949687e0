import { answered, composer, newConversation, quiet, send } from "./conversation";
import { COLD_START_MS, expect, goOnWithThisVault, signInByMail, test, unlock } from "./person";
import { expectClean, inspect, shot, watched } from "./watched";

/** The wait after this many mistakes in a row, 8 seconds, is long enough to be seen; the first three cost nothing, and then it doubles. */
const DEAR_MISTAKE = 7;

test("locking hides everything, and the right password brings the same page and draft back", async ({ anna }) => {
  const { page, password } = anna;
  await newConversation(page);
  await send(page, "[[say: Kept behind the lock.]]");
  await answered(page, "Kept behind the lock.");
  await quiet(page);
  await composer(page).fill("half a thought");
  const address = page.url();
  await page.getByRole("button", { name: "Lock now" }).click();
  await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
  expect(await page.locator("body").innerText()).not.toContain("Kept behind the lock.");
  await expect(page.locator(".conversation")).toHaveCount(0);
  expect(await page.content()).not.toContain("half a thought");
  await inspect(page, "locked");

  await page.getByLabel("Vault password", { exact: true }).fill("not the password");
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await expect(page.locator(".field-error", { hasText: "That is not the password." })).toBeVisible({ timeout: 60_000 });
  await inspect(page, "wrong-password");
  const wait = page.getByText(/You can try again in \d+ seconds?\./);
  await expect(wait, "a mistake costs nothing").toHaveCount(0);
  for (let mistakes = 1; mistakes < DEAR_MISTAKE; mistakes++) {
    await page.getByLabel("Vault password", { exact: true }).fill(`not the password ${mistakes}`);
    await page.getByRole("button", { name: "Unlock", exact: true }).click();
    await expect(page.locator(".field-error", { hasText: "That is not the password." })).toBeVisible({ timeout: 60_000 });
  }
  await expect(wait, "many do").toBeVisible();
  await expect(page.getByRole("button", { name: "Unlock", exact: true })).toBeDisabled();
  await shot(page, "made-to-wait");

  // The right one can be typed meanwhile, and is taken once the wait is over.
  await page.getByLabel("Vault password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Unlock", exact: true }).click();
  await expect(composer(page)).toHaveValue("half a thought", { timeout: 60_000 });
  await expect(page).toHaveURL(address);
  await answered(page, "Kept behind the lock.");
  await composer(page).fill("");
});

test("a draft survives a reload, to its last letter", async ({ anna: { page } }) => {
  await newConversation(page);
  // As fast as a person types.
  await composer(page).pressSequentially("to be continued", { delay: 50 });
  await page.reload();
  await expect(composer(page)).toBeVisible();
  // A new conversation has no address yet; its draft waits in the next new one.
  await expect(composer(page)).toHaveValue("to be continued");
  await composer(page).fill("");
});

/** In the page: how many edits are stored. */
function editsKept(): Promise<number> {
  return new Promise((resolve, reject) => {
    const open = indexedDB.open("holdfast");
    open.onerror = () => reject(open.error ?? new Error("no database"));
    open.onsuccess = () => {
      const keys = open.result.transaction("drafts").objectStore("drafts").getAllKeys();
      keys.onerror = () => reject(keys.error ?? new Error("no drafts"));
      keys.onsuccess = () => {
        open.result.close();
        resolve(keys.result.filter((key) => String(key).includes("/edit/")).length);
      };
    };
  });
}

test("text that is written in a message that was sent survives a reload, a look elsewhere and a lock", async ({ anna: { page, password } }) => {
  await newConversation(page);
  await send(page, "[[say: The first answer.]]");
  await answered(page, "The first answer.");
  await quiet(page);
  await page.getByRole("button", { name: "Edit and send again" }).click();
  const editor = page.getByLabel("Edit your message");
  const before = await page.evaluate(editsKept);
  await editor.fill("[[say: A better answer.]]");
  await expect.poll(() => page.evaluate(editsKept), { message: "it is written down" }).toBe(before + 1);
  await page.reload();
  await expect(editor).toHaveValue("[[say: A better answer.]]", { timeout: 60_000 });
  await newConversation(page);
  await expect(editor).toHaveCount(0);
  await page.goBack();
  await expect(editor).toHaveValue("[[say: A better answer.]]");

  await page.getByRole("button", { name: "Lock now" }).click();
  await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
  await expect(editor).toHaveCount(0);
  await unlock(page, password);
  await expect(editor).toHaveValue("[[say: A better answer.]]", { timeout: COLD_START_MS });
  await page.getByRole("button", { name: "Send again", exact: true }).click();
  await answered(page, "A better answer.");
  await expect.poll(() => page.evaluate(editsKept), { message: "it is thrown away" }).toBe(before);
  await page.reload();
  await answered(page, "A better answer.");
  await expect(editor).toHaveCount(0);
});

test("signing in needs the mailed link once, and another browser needs the password too", async ({ anna, browser }) => {
  await newConversation(anna.page);
  await send(anna.page, "[[say: Where the link leads back to.]]");
  await answered(anna.page, "Where the link leads back to.");
  await quiet(anna.page);
  const address = new URL(anna.page.url()).pathname;
  const elsewhere = await watched(await browser.newContext());
  const { page } = elsewhere;
  // What the page asks for by itself is answered last, with a cookie of its own: the link is this browser's all the same.
  let late: boolean | undefined;
  await page.route("**/api/v1/passkeys/challenge", async (route) => {
    const asked = route.request();
    const answer = await fetch(asked.url(), { method: "POST", headers: asked.headers() });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await route.fulfill({ status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() });
    late = answer.headers.has("set-cookie");
  });
  await signInByMail(page, anna.email, () => expect.poll(() => late, { message: "a cookie of its own" }).toBe(true), address);
  await expect(page.getByRole("heading", { name: "Unlock your vault" })).toBeVisible({ timeout: 60_000 });
  await inspect(page, "unlock-elsewhere");
  await unlock(page, anna.password);
  await expect(page).toHaveURL(address);
  await answered(page, "Where the link leads back to.");
  expect(await page.evaluate(() => localStorage.getItem("holdfast.way-back")), "the way back is good once").toBeNull();
  expectClean(elsewhere);
  await elsewhere.context.close();

  const again = await watched(await browser.newContext());
  const stranger = again.page;
  await stranger.goto("/sign-in");
  await inspect(stranger, "sign-in");
  await stranger.goto("/sign-in#used-up-or-invented");
  await expect(stranger.getByText("That link has been used")).toBeVisible();
  await inspect(stranger, "sign-in-dead-link");
  expectClean(again);
  await again.context.close();
});

test("the recovery phrase opens the vault and sets a new password", async ({ anna, browser }) => {
  // Signed in, and with nothing of the vault.
  const { cookies } = await anna.context.storageState();
  const elsewhere = await watched(await browser.newContext({ storageState: { cookies, origins: [] } }));
  const { page } = elsewhere;
  await page.goto("/");
  await page.getByRole("button", { name: /Use your recovery phrase/ }).click();
  await page.getByLabel("Recovery phrase").fill(anna.phrase.split(" ").toReversed().join(" "));
  await page.getByLabel("New vault password").fill("seven rivers under lamps");
  await expect(page.getByText("Very good.")).toBeVisible();
  await page.getByRole("button", { name: "Open my vault" }).click();
  await expect(page.locator("#phrase-error")).toBeVisible();
  await inspect(page, "recovery");
  await page.getByLabel("Recovery phrase").fill(anna.phrase.toUpperCase());
  await page.getByRole("button", { name: "Open my vault" }).click();
  await expect(composer(page)).toBeVisible({ timeout: 60_000 });

  await expect(page.locator("#announcer")).toHaveText(/Your password is changed/, { timeout: 60_000 });

  // Back to the password that the other tests know; the one from the recovery stops working.
  await page.getByRole("link", { name: "Me", exact: true }).first().click();
  await page.getByRole("link", { name: "Change", exact: true }).last().click();
  await page.getByRole("button", { name: "Change “Password”" }).click();
  await page.getByLabel("New vault password").fill(anna.password);
  await expect(page.getByText("Very good.")).toBeVisible();
  await page.getByRole("button", { name: "Change password" }).click();
  await expect(page.locator(".notice-ok", { hasText: "Your password is changed." })).toBeVisible({ timeout: 60_000 });
  expectClean(elsewhere);
  await elsewhere.context.close();
  // Whoever was connected through the old password had to leave.
  await anna.page.goto("/");
  await unlock(anna.page, anna.password);
});

test("settings say what lock and sign out mean, and the look is kept", async ({ anna: { page } }) => {
  await page.goto("/me");
  await expect(page.getByRole("heading", { name: "Me", exact: true })).toBeVisible();
  const leave = page.getByRole("region", { name: "Leave" });
  await expect(leave).toContainText("Closes your vault everywhere and puts your agent to sleep. You are not signed out by it: come back soon and your password alone opens it again; later you sign in first.");
  await expect(leave.getByRole("button", { name: "Lock now" })).toBeEnabled();
  await expect(leave).toContainText("This browser forgets you. Your agent may go on; the vault locks by itself when it is not used.");
  await expect(leave.getByRole("button", { name: "Sign out" })).toBeEnabled();
  await inspect(page, "me");
  const look = page.getByRole("radiogroup", { name: "Appearance" });
  await look.getByText("Dark").click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  expect(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)).toBe("rgb(22, 23, 22)");
  await expect(page.getByRole("heading", { name: "Me", exact: true })).toBeVisible();
  await look.getByText("As the system").click();
  await expect(look.getByLabel("As the system")).toBeChecked();
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
});

test("a vault older than the one this browser has seen is refused, until its person says that they know why", async ({ anna: { page, password } }) => {
  await page.goto("/");
  await expect(composer(page)).toBeVisible();
  await page.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const open = indexedDB.open("holdfast");
        open.onerror = () => reject(open.error ?? new Error("no database"));
        open.onsuccess = () => {
          const transaction = open.result.transaction("pins", "readwrite");
          const cursor = transaction.objectStore("pins").openCursor();
          cursor.onsuccess = () => {
            const at = cursor.result;
            if (at) at.update({ ...at.value, epoch: at.value.epoch + 1000 });
          };
          transaction.oncomplete = () => {
            open.result.close();
            resolve();
          };
        };
      }),
  );
  await page.reload();
  await expect(page.getByRole("heading", { name: "This vault was rolled back" })).toBeVisible();
  await inspect(page, "rolled-back");
  await page.getByRole("button", { name: "I know what happened" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.reload();
  await expect(page.getByRole("heading", { name: "This vault was rolled back" })).toBeVisible();
  await goOnWithThisVault(page, "rolled-back-asked");
  await unlock(page, password);
  await expect(composer(page)).toBeVisible();
});
