/** What the tools of a server do, in words; and what is kept of what their owner said of them. */
import type { Does, Route, ServerTool, ServerTools } from "../channel/messages";

export const DOES: Record<Does, string> = { read: "Reads", write: "Changes something", delete: "Deletes" };

/** Which tools of a server are not shown, and why; empty where all are. */
export function notShown({ tools, unnamed, more }: ServerTools): string {
  const said: string[] = [];
  if (unnamed === 1) said.push("One tool is not shown: by its name it cannot be called.");
  else if (unnamed > 1) said.push(`${unnamed} tools are not shown: by their names they cannot be called.`);
  if (more) said.push(`The server has more tools than can be allowed: those after the first ${tools.length + unnamed} are not shown.`);
  return said.join(" ");
}

type Terms = NonNullable<Route["tools"]>;

/** Tools that were allowed and that the server does not have today: what was said of them stays until their owner takes it back. */
export function missing(tools: readonly ServerTool[], known: Terms): string[] {
  const now = new Set(tools.map((each) => each.name));
  return Object.keys(known)
    .filter((name) => !now.has(name))
    .sort();
}

/** What was chosen, each tool as it is described now; of one that is missing, as it was described when it was allowed. */
export function allowed(tools: readonly ServerTool[], known: Terms, does: Readonly<Record<string, Does | "">>): Terms {
  const terms: Record<string, { does: Does; seen: string }> = {};
  for (const each of tools) {
    const chosen = does[each.name];
    if (chosen && each.seen !== null) terms[each.name] = { does: chosen, seen: each.seen };
  }
  for (const name of missing(tools, known)) {
    const [chosen, before] = [does[name], known[name]];
    if (chosen && before) terms[name] = { does: chosen, seen: before.seen };
  }
  return terms;
}
