/** The secrets of the vault as the keeper lists them: everything but their values. */
import { effect, signal, untracked } from "@preact/signals-core";
import { request, unlocked } from "../app/link";
import type { AgentMay, Secret, SecretInput, SecretKind } from "../channel/messages";
import { sentence } from "../parts/form";

export const secrets = signal<readonly Secret[] | undefined>(undefined);
export const secretsProblem = signal("");

export const KINDS: Record<SecretKind, string> = { api_key: "API key", oauth_token: "Token", login: "Login", text: "Note" };

export const AGENT_MAY: Record<AgentMay, { name: string; words: string }> = {
  nothing: { name: "Only keep it", words: "Your agent cannot use it and does not know of it." },
  use: { name: "My agent may use it", words: "Your vault puts it into requests to the services that you name. Your agent never sees it." },
  see: { name: "My agent may see it", words: "Your agent can read the value itself, whenever your vault is open. Only for what it has to hold in its own hands." },
};

export async function loadSecrets(): Promise<void> {
  try {
    const all: Secret[] = [];
    for (let more = true; more; ) {
      const after = all.at(-1)?.id;
      const page = await request<{ secrets: Secret[]; more: boolean }>("secret.list", after ? { after } : {});
      all.push(...page.secrets);
      more = page.more && page.secrets.length > 0;
    }
    secrets.value = all.sort((one, other) => one.name.localeCompare(other.name));
    secretsProblem.value = "";
  } catch (error) {
    secretsProblem.value = sentence(error);
  }
}

export async function saveSecret(secret: SecretInput): Promise<void> {
  await request("secret.set", secret);
  await loadSecrets();
}

export async function deleteSecret(id: string): Promise<void> {
  await request("secret.delete", { id });
  await loadSecrets();
}

export function reveal(id: string): Promise<{ value: string; username: string }> {
  return request("secret.reveal", { id });
}

// Locked: their names go from memory too.
effect(() => {
  if (!unlocked.value) untracked(() => (secrets.value = undefined));
});
