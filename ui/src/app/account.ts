/** Who is signed in. */
import { signal } from "@preact/signals-core";
import { api, type Instance, type Me, type Pending, Problem } from "../api/http";

/** Out because their session was over, or because they wanted it, and of which organisation; nothing of that is known of who has only come. */
export type Account = { at: "unknown" } | { at: "out"; why?: "over" | "asked"; organisation?: string } | { at: "half"; pending: Pending } | { at: "in"; me: Me } | { at: "error"; message: string };

export const account = signal<Account>({ at: "unknown" });
export const instance = signal<Instance | undefined>(undefined);

export function me(): Me | undefined {
  return account.value.at === "in" ? account.value.me : undefined;
}

/** What every way in answers: signed in, or a second factor is still missing. */
export function arrived(answer: Me | Pending): void {
  account.value = "pending" in answer ? { at: "half", pending: answer } : { at: "in", me: answer };
}

export async function loadAccount(): Promise<void> {
  try {
    arrived(await api.me());
  } catch (error) {
    account.value = await without(error);
  }
}

async function without(error: unknown): Promise<Account> {
  if (error instanceof Problem && error.status === 401) return { at: "out" };
  if (error instanceof Problem && error.code === "factor_needed") {
    try {
      return { at: "half", pending: await api.pending() };
    } catch (second) {
      return { at: "error", message: second instanceof Error ? second.message : String(second) };
    }
  }
  return { at: "error", message: error instanceof Error ? error.message : String(error) };
}

export async function loadInstance(): Promise<void> {
  try {
    instance.value = await api.instance();
  } catch {
    // The page that needs it says so itself when its own request fails.
  }
}
