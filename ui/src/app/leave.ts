/** Locking and signing out, as the person asks for it: a failure is said where it cannot be missed. What is typed is sealed before a lock. */
import { flushDrafts } from "../chat/drafts";
import { confirmBox } from "../parts/confirm-box";
import { sentence } from "../parts/form";
import { account } from "./account";
import { alertNow, announce } from "./announcer";
import { lockNow, savedBeforeLock, signOut } from "./link";

/** What is said on the page that unlocks, too. */
export const NOT_SAVED = "Not everything that your agent did could be saved before the lock. It is in the server’s memory, and lost if the server ends first. Unlock, wait until your agent is ready, and lock again. If it stays so, tell the person who runs this server.";

export async function lockAndSay(): Promise<void> {
  try {
    await flushDrafts();
    await lockNow();
    if (savedBeforeLock.peek()) announce("Locked");
    else alertNow(`Locked. ${NOT_SAVED}`);
  } catch (error) {
    await confirmBox({ title: "Your vault is not locked", words: sentence(error), yes: "OK", no: "Close" });
  }
}

/** The page on which it was asked for may be gone by then, so what failed is said in a box of its own. */
export async function signOutAndSay(): Promise<void> {
  try {
    await flushDrafts();
    await signOut();
  } catch (error) {
    const isOut = account.peek().at === "out";
    const kept = "What opens your vault here again without a password could not be removed from this browser. Delete what it keeps of this site, in its settings.";
    await confirmBox({ title: isOut ? "You are signed out, and not all of it is gone" : "You are not signed out", words: isOut ? `${kept} ${sentence(error)}` : sentence(error), yes: "OK", no: "Close" });
  }
}
