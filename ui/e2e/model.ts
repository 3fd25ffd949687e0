/** The scripted model, and how a test steers it. */
import { told } from "./place";

export const modelUrl = new URL(told("demo-model-url") || "http://localhost").origin;

/** Asks something of its `/_control`; it has to agree. */
export async function control(path: string, method: "GET" | "POST" | "DELETE"): Promise<Response> {
  const answer = await fetch(`${modelUrl}/_control/${path}`, { method });
  if (!answer.ok) throw new Error(`the scripted model says ${answer.status} to ${path}`);
  return answer;
}
