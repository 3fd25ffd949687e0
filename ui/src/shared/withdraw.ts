/** Stopping what is there for a group. */
import { announce } from "../app/announcer";
import { confirmBox } from "../parts/confirm-box";
import { type GroupResource, withdrawResource } from "./shared";

/** Once whoever shares it has said that they are sure. */
export async function withdrawIfSure(each: GroupResource): Promise<void> {
  const sure = await confirmBox({ title: `Stop sharing ${each.name}?`, words: "From now on your vault refuses it to everybody in this group, and their agents forget how it is used. What they have read already cannot be taken back.", yes: "Stop sharing", danger: true });
  if (!sure) return;
  await withdrawResource(each.id);
  announce("Stopped");
}
