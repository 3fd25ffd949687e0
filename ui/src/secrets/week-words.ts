/** A week of one caller and one service, in words. */

export interface WeekRow {
  user: string | null;
  name: string;
  service: string;
  reads: number;
  changes: number;
  pauses: number;
}

const times = (count: number): string => (count === 1 ? "once" : `${count.toLocaleString()} times`);

/** "asked calendar 12 times and changed something in it once; paused once" */
export function weekWords({ service, reads, changes, pauses }: WeekRow): string {
  const asked = reads > 0 ? `asked ${service} ${times(reads)}` : "";
  const changed = changes > 0 ? `changed something in ${reads > 0 ? "it" : service} ${times(changes)}` : "";
  const did = [asked, changed].filter(Boolean).join(" and ") || `did nothing with ${service}`;
  return `${did}${pauses > 0 ? `; paused ${times(pauses)}` : ""}`;
}
