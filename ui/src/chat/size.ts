/** How long a message may be, and what is said of one that is longer. */

/** `protocol::limits::MESSAGE_BYTES` */
const MESSAGE_BYTES = 256 * 1024;
/** The most that UTF-8 makes of what a string counts as one. */
const BYTES_EACH = 3;

export const TOO_LONG = "A message may have at most 256 KB. Split it.";

export function tooLong(text: string): boolean {
  return text.length * BYTES_EACH > MESSAGE_BYTES && new TextEncoder().encode(text).length > MESSAGE_BYTES;
}
