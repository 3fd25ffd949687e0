/** Kinds of destinations in plain words: what each wants to know, and where that is found. */
import type { Destination, DestinationKind } from "../api/http";

export interface DestinationWords {
  kind: DestinationKind;
  name: string;
  /** What its address is called there. */
  label: string;
  placeholder: string;
  where: string;
  /** It takes the audit log as it happens. */
  takesLog?: boolean;
}

export const DESTINATION_KINDS: readonly DestinationWords[] = [
  { kind: "webhook", name: "Webhook (JSON, signed)", label: "Address", placeholder: "https://example.org/hook", where: "An address of yours that takes JSON by POST. You get a secret with which it checks that what comes is from here (Standard Webhooks).", takesLog: true },
  { kind: "slack", name: "Slack", label: "Webhook URL", placeholder: "https://hooks.slack.com/services/…", where: "In Slack, make an app with “Incoming Webhooks”, add a webhook to a channel, and copy its URL." },
  { kind: "discord", name: "Discord", label: "Webhook URL", placeholder: "https://discord.com/api/webhooks/…", where: "In Discord, in the settings of the channel under “Integrations”, “Webhooks”, make one and copy its URL." },
  { kind: "pagerduty", name: "PagerDuty", label: "Address of the Events API", placeholder: "https://events.pagerduty.com/v2/enqueue", where: "In PagerDuty, add the integration “Events API V2” to a service and copy its integration key. Leave the address empty, unless your account is in Europe (https://events.eu.pagerduty.com/v2/enqueue)." },
  { kind: "syslog", name: "Syslog", label: "Address", placeholder: "tls://logs.example.org:6514", where: "A collector of logs that takes RFC 5424 over TLS.", takesLog: true },
];

export function destinationKind(kind: DestinationKind): DestinationWords {
  const found = DESTINATION_KINDS.find((each) => each.kind === kind);
  if (!found) throw new Error(`no words for ${kind}`);
  return found;
}

/** When something was taken there last. */
export function lastSent(destination: Destination): string {
  return destination.last_sent_at === undefined ? "nothing was sent yet" : `last sent ${new Date(destination.last_sent_at).toLocaleString()}`;
}

/** What waits, in words; nothing where nothing does. */
export function waitingWords({ waiting, given_up }: Destination): string {
  const parts = [];
  if (waiting > 0) parts.push(`${waiting} ${waiting === 1 ? "waits" : "wait"} to be sent`);
  if (given_up > 0) parts.push(`${given_up} given up`);
  return parts.join(", ");
}
