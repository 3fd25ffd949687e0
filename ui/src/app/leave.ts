/** Locking and signing out, as the person asks for it: a failure is said where it cannot be missed. What is typed is sealed before a lock. */
import { flushDrafts } from "../chat/drafts";
import { confirmBox } from "../parts/confirm-box";
import { sentence } from "../parts/form";
import { account } from "./account";
import { announce } from "./announcer";
import { lockNow, signOut } from "./link";

export async function lockAndSay(): Promise<void> {
  try {
    await flushDrafts();
    await lockNow();
    announce("Locked");
  } catch (error) {
    await confirmBox({ title: "Your vault is not locked", words: sentence(error), yes: "OK", no: "Close" });
  }
}

/** The page on which it was asked for may be gone by then, so what failed is said in a box of its own. */
export async function signOutAndSay(): Promise<void> {
  try {
    await signOut();
  } catch (error) {
    const isOut = account.peek().at === "out";
    const kept = "What opens your vault here again without a password could not be removed from this browser. Delete what it keeps of this site, in its settings.";
    await confirmBox({ title: isOut ? "You are signed out, and not all of it is gone" : "You are not signed out", words: isOut ? `${kept} ${sentence(error)}` : sentence(error), yes: "OK", no: "Close" });
  }
}
