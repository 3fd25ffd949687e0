/** The services that the agent may call with a secret, and where else it may connect. */
import { effect, signal, untracked } from "@preact/signals-core";
import { request, unlocked } from "../app/link";
import type { EgressPolicy, Route, ServerTools } from "../channel/messages";
import { sentence } from "../parts/form";

export const routes = signal<readonly Route[] | undefined>(undefined);
export const egress = signal<EgressPolicy | undefined>(undefined);
export const servicesProblem = signal("");

export async function loadServices(): Promise<void> {
  try {
    const [found, policy] = await Promise.all([request<{ routes: Route[] }>("route.list"), request<EgressPolicy>("egress.get")]);
    routes.value = found.routes;
    egress.value = policy;
    servicesProblem.value = "";
  } catch (error) {
    servicesProblem.value = sentence(error);
  }
}

export async function saveRoute(route: Route): Promise<void> {
  await request("route.set", route);
  await loadServices();
}

/** What a server of tools has now. */
export async function toolsOf(name: string): Promise<ServerTools> {
  return request<ServerTools>("route.tools", { name });
}

export async function deleteRoute(name: string): Promise<void> {
  await request("route.delete", { name });
  await loadServices();
}

export async function saveEgress(policy: EgressPolicy): Promise<void> {
  await request("egress.set", policy);
  await loadServices();
}

/** A name for the route, from what was typed. */
export function routeName(words: string): string {
  return words
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+/, "")
    .slice(0, 40);
}

effect(() => {
  if (unlocked.value) return;
  untracked(() => {
    routes.value = undefined;
    egress.value = undefined;
  });
});
