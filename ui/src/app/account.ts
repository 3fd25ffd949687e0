/** Who is signed in. */
import { signal } from "@preact/signals-core";
import { api, type Instance, type Me, Problem } from "../api/http";

export type Account = { at: "unknown" } | { at: "out" } | { at: "in"; me: Me } | { at: "error"; message: string };

export const account = signal<Account>({ at: "unknown" });
export const instance = signal<Instance | undefined>(undefined);

export function me(): Me | undefined {
  return account.value.at === "in" ? account.value.me : undefined;
}

export function signedIn(who: Me): void {
  account.value = { at: "in", me: who };
}

export async function loadAccount(): Promise<void> {
  try {
    account.value = { at: "in", me: await api.me() };
  } catch (error) {
    if (error instanceof Problem && error.status === 401) account.value = { at: "out" };
    else account.value = { at: "error", message: error instanceof Error ? error.message : String(error) };
  }
}

export async function loadInstance(): Promise<void> {
  try {
    instance.value = await api.instance();
  } catch {
    // The page that needs it says so itself when its own request fails.
  }
}
