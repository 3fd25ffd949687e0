/** A week of one caller and one service, in words. */

import { whatWords } from "../approvals/paused";

export interface WeekRow {
  user: string | null;
  /** It is this person's agent, at what `user` shares with them. */
  own_agent?: boolean;
  name: string;
  service: string;
  reads: number;
  changes: number;
  pauses: number;
}

const times = (count: number): string => (count === 1 ? "once" : `${count.toLocaleString()} times`);

/** "asked calendar 12 times and changed something in it once; paused once" */
export function weekWords({ reads, changes, pauses, ...of }: WeekRow): string {
  const service = whatWords(of);
  const asked = reads > 0 ? `asked ${service} ${times(reads)}` : "";
  const changed = changes > 0 ? `changed something in ${reads > 0 ? "it" : service} ${times(changes)}` : "";
  const did = [asked, changed].filter(Boolean).join(" and ") || `did nothing with ${service}`;
  return `${did}${pauses > 0 ? `; paused ${times(pauses)}` : ""}`;
}
