/** What the tools say of themselves that somebody shares, for reading before they are accepted. */
import { seen } from "../approvals/words";
import { fromBase64Url } from "../channel/bytes";
import { DOES } from "../secrets/tool-words";
import type { Answer } from "./shared";

export interface OfferedTool {
  name: string;
  does: string;
  description: string;
}

const DOING: Record<string, string> = { GET: DOES.read, POST: DOES.write, DELETE: DOES.delete };

function text(value: unknown): string {
  return typeof value === "string" ? seen(value) : "";
}

/** Each that may be called, by name; nothing where this is not such an answer. */
export function offeredTools(answer: Pick<Answer, "status" | "body">): readonly OfferedTool[] | undefined {
  if (answer.status !== 200) return undefined;
  let told: unknown;
  try {
    told = JSON.parse(new TextDecoder().decode(fromBase64Url(answer.body)));
  } catch {
    return undefined;
  }
  const tools = (told as { tools?: unknown } | null)?.tools;
  if (!Array.isArray(tools)) return undefined;
  return tools.map((each: Record<string, unknown> | null) => {
    const name = text(each?.["path"]).replace(/^\//, "");
    const title = text(each?.["title"]);
    return { name: title === "" || title === name ? name : `${title} (${name})`, does: DOING[text(each?.["method"])] ?? "", description: text(each?.["description"]) };
  });
}
