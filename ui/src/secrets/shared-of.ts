/** With whom a service is shared, in words: before it is removed, or changed into another one. */
import type { Route } from "../channel/messages";
import type { Given } from "../shared/shared";
import { serviceOf } from "../shared/words";

const LIST = new Intl.ListFormat("en", { type: "conjunction" });
/** So many are named; of more there is the number. */
const NAMED = 3;

/** Whether a route stands for another service than before to whoever it is shared with: as the keeper sees it. */
export function isAnother(before: Route, now: Route): boolean {
  const where = ({ base_url, tools }: Route) => (tools ? base_url : base_url.replace(/\/+$/, ""));
  return where(before) !== where(now) || before.secret !== now.secret || Boolean(before.tools) !== Boolean(now.tools);
}

/** "It is shared with Bob, who loses it until you share it anew."; empty where nobody loses anything. */
export function losesShares(service: string, given: readonly Given[] | undefined): string {
  if (!given) return "Whoever it is shared with loses it until you share it anew.";
  const live = given.filter((each) => each.state === "given" && !each.of && !each.elsewhere && serviceOf(each.resource) === service);
  const people = new Map(live.map((each) => [each.with, each.name]));
  if (people.size === 0) return "";
  const passed = live.some((each) => each.passed_on?.some((link) => link.state === "given")) ? ", and so does everybody to whom it was passed on" : "";
  const who = people.size <= NAMED ? LIST.format(people.values()) : `${people.size} people`;
  return `It is shared with ${who}, who ${people.size === 1 ? "loses" : "lose"} it until you share it anew${passed}.`;
}
