/** Locking, as the person asks for it: what is typed is sealed first, and a failure is said where it cannot be missed. */
import { flushDrafts } from "../chat/drafts";
import { confirmBox } from "../parts/confirm-box";
import { sentence } from "../parts/form";
import { announce } from "./announcer";
import { lockNow } from "./link";

export async function lockAndSay(): Promise<void> {
  try {
    await flushDrafts();
    await lockNow();
    announce("Locked");
  } catch (error) {
    await confirmBox({ title: "Your vault is not locked", words: sentence(error), yes: "OK", no: "Close" });
  }
}
