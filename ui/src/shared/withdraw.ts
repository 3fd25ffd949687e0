/** Stopping what is there for a group, and what one person has of something. */
import { announce } from "../app/announcer";
import { confirmBox } from "../parts/confirm-box";
import { type GroupResource, stopSharing, withdrawResource } from "./shared";

/** Once whoever shares it has said that they are sure. */
export async function withdrawIfSure(each: GroupResource): Promise<void> {
  const sure = await confirmBox({ title: `Stop sharing ${each.name}?`, words: "From now on your vault refuses it to everybody in this group, and their agents forget how it is used. What they have read already cannot be taken back.", yes: "Stop sharing", danger: true });
  if (!sure) return;
  await withdrawResource(each.id);
  announce("Stopped");
}

/** The same of one share, or of one time that it was passed on. */
export async function stopIfSure(id: string, name: string): Promise<void> {
  const sure = await confirmBox({ title: `Stop sharing with ${name}?`, words: "From now on it is refused, also to those to whom they passed it on. What they have read already cannot be taken back.", yes: "Stop sharing", danger: true });
  if (!sure) return;
  await stopSharing(id);
  announce("Stopped");
}
