/** What is said of alerts: what sets one off, and when nothing is sent. */
import type { AlertTrigger, QuietTime } from "../api/http";

export const TRIGGERS: readonly { trigger: AlertTrigger; words: string; more?: string }[] = [
  {
    trigger: "failures",
    words: "Many refused attempts",
    more: "Five within ten minutes, of one person with their keys, or from one address of nobody we know: wrong codes, what somebody’s role or key does not allow, limits that were reached, sign-ins with another site that were refused.",
  },
  { trigger: "new_device", words: "A sign-in from a new device" },
  { trigger: "factor_off", words: "A second factor was turned off" },
  { trigger: "people_changed", words: "Somebody’s role or access was changed" },
  { trigger: "key_made", words: "An API key was made" },
  { trigger: "recovery_asked", words: "Somebody asks for help with opening their vault" },
  { trigger: "exported", words: "The audit log was exported", more: "Or somebody began to have it sent elsewhere." },
  { trigger: "chain_broken", words: "The audit log was tampered with" },
];

export function triggerWords(trigger: AlertTrigger): string {
  return TRIGGERS.find((each) => each.trigger === trigger)?.words ?? trigger;
}

/** The zone of this browser's clock. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** A minute of the day, from what a field for times holds. */
export function minuteOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(":").map(Number);
  return hour * 60 + minute;
}

/** Between when nothing is sent; by whose clocks where those are not one's own. */
export function quietWords(quiet: QuietTime, zone = ownZone()): string {
  // A day on which no clock is set.
  const shown = (minute: number) => new Date(2000, 0, 1, 0, minute).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return `not between ${shown(quiet.from)} and ${shown(quiet.to)}${quiet.zone === zone ? "" : ` (${quiet.zone})`}`;
}
