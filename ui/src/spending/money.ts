/** Money as people type and read it; inside it is whole millionths of a US dollar. */

export function dollars(micro: number): string {
  const digits = micro > 0 && micro < 10_000 ? 4 : 2;
  return (micro / 1_000_000).toLocaleString(undefined, { style: "currency", currency: "USD", minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** What was typed; nothing for an empty field, `undefined` for what is no amount. */
export function amount(typed: string): number | null | undefined {
  const words = typed.trim().replace(/^\$\s*/, "").replace(",", ".");
  if (words === "") return null;
  if (!/^\d{1,9}(\.\d{0,6})?$/.test(words)) return undefined;
  return Math.round(Number(words) * 1_000_000);
}

export function typed(micro: number | null | undefined): string {
  return micro === null || micro === undefined ? "" : String(micro / 1_000_000);
}
