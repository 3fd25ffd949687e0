/** The model providers and what they cost, as the keeper tells them. */
import { effect, signal, untracked } from "@preact/signals-core";
import { request, unlocked } from "../app/link";
import { loadModel } from "../app/model";
import type { Provider, SpendingOverview } from "../channel/messages";
import { sentence } from "../parts/form";

export const providers = signal<readonly Provider[] | undefined>(undefined);
export const spending = signal<SpendingOverview | undefined>(undefined);
export const modelsProblem = signal("");

export async function loadModels(): Promise<void> {
  try {
    const [found, book] = await Promise.all([request<{ providers: Provider[] }>("provider.list"), request<SpendingOverview>("spending.get")]);
    providers.value = found.providers;
    spending.value = book;
    modelsProblem.value = "";
  } catch (error) {
    modelsProblem.value = sentence(error);
  }
}

/** Changes something, then shows what is there now. */
export async function change(method: string, params: object): Promise<void> {
  await request(method, params);
  await Promise.all([loadModels(), loadModel()]);
}

effect(() => {
  if (unlocked.value) return;
  untracked(() => {
    providers.value = undefined;
    spending.value = undefined;
  });
});
