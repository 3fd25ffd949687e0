/** What did not go when somebody signed out is said; and what was not saved when they locked. */
import { signal } from "@preact/signals-core";
import { beforeEach, expect, it, vi } from "vitest";

const savedBeforeLock = signal(true);
const signOut = vi.fn<() => Promise<void>>();
const confirmBox = vi.fn<(question: { title: string; words: string }) => Promise<boolean>>().mockResolvedValue(true);
vi.mock("../src/app/link", () => ({ signOut, lockNow: vi.fn(), savedBeforeLock }));
vi.mock("../src/parts/confirm-box", () => ({ confirmBox }));
vi.mock("../src/chat/drafts", () => ({ flushDrafts: vi.fn() }));

const { account } = await import("../src/app/account");
const { lockAndSay, signOutAndSay } = await import("../src/app/leave");
const { alertText, politeText } = await import("../src/app/announcer");

beforeEach(() => {
  vi.clearAllMocks();
  account.value = { at: "unknown" };
});

it("nothing where all went well", async () => {
  signOut.mockResolvedValue();
  await signOutAndSay();
  expect(confirmBox).not.toHaveBeenCalled();
});

it("that the session stands, where the server did not end it", async () => {
  signOut.mockRejectedValue(new Error("The server does not answer."));
  await signOutAndSay();
  expect(confirmBox.mock.calls[0]?.[0]).toMatchObject({ title: "You are not signed out", words: "The server does not answer." });
});

it("that this browser keeps what opens the vault, where it could not be removed", async () => {
  signOut.mockImplementation(() => {
    account.value = { at: "out" };
    return Promise.reject(new Error("The database is closed."));
  });
  await signOutAndSay();
  const { title, words } = confirmBox.mock.calls[0]?.[0] ?? {};
  expect(title).toContain("You are signed out");
  expect(words).toMatch(/could not be removed from this browser.*The database is closed\./s);
});

it("of a lock that not everything was saved before it", async () => {
  await lockAndSay();
  expect([politeText.value, alertText.value]).toEqual(["Locked", ""]);
  savedBeforeLock.value = false;
  await lockAndSay();
  expect(alertText.value).toMatch(/^Locked\. Not everything that your agent did could be saved .* Unlock, /);
});
