/** A length of time that somebody chooses, in words: whole minutes, hours or days. */
export function span(minutes: number): string {
  if (minutes < 60) return minutes === 1 ? "1 minute" : `${minutes} minutes`;
  if (minutes > 24 * 60 && minutes % (24 * 60) === 0) return `${minutes / (24 * 60)} days`;
  return minutes === 60 ? "1 hour" : `${minutes / 60} hours`;
}
