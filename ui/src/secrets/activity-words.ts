/** What was done, as a sentence. */
import type { ActivityEntry } from "../channel/messages";

export function activityWords({ what, name, to, why }: ActivityEntry): string {
  const secret = name ? `“${name}”` : "a secret";
  const where = to ? ` for ${to}` : "";
  const reason = why ? `: ${why}` : "";
  switch (what) {
    case "secret_saved":
      return `You saved ${secret}`;
    case "secrets_imported":
      return `You brought in ${why ?? "secrets"}${to ? ` from ${to}` : ""}`;
    case "secret_deleted":
      return `You deleted ${secret}`;
    case "secret_revealed":
      return `You looked at ${secret}`;
    case "secrets_exported":
      return `You exported ${why ?? "your secrets"}${to ? ` to ${to}` : ""}`;
    case "route_saved":
      return `You connected the service ${to ?? ""}${name ? ` with “${name}”` : ""}`;
    case "route_deleted":
      return `You removed the service ${to ?? ""}`;
    case "egress_changed":
      return `You changed where your agent may connect${reason}`;
    case "spending_changed":
      return `You changed the spending limits${reason}`;
    case "models_changed":
      return `You changed your models${to ? `: ${to}` : ""}`;
    case "secret_used":
      return `Your agent used ${secret}${where}`;
    case "secret_seen":
      return `Your agent was told ${secret}`;
    case "model_called":
      return `Your agent called its model${to ? ` at ${to}` : ""}`;
    case "secret_refused":
      return `Refused: your agent tried to use ${name ? secret : "a service"}${where}${reason}`;
    case "egress_refused":
      return `Refused: your agent tried to reach ${to ?? "an address"}${reason}`;
    case "model_refused":
      return `Refused: a call to the model${to ? ` at ${to}` : ""}${reason}`;
    default:
      return [what, name, to, why].filter(Boolean).join(" · ");
  }
}
