/** Text as a QR code, drawn as one path: nothing is fetched, and nothing leaves the page. */
import { html, svg, type TemplateResult } from "lit";
import { encode } from "uqr";

/** Light modules around the code, as the standard asks for. */
const QUIET = 4;

export function qrCode(text: string, label: string): TemplateResult {
  const { size, data } = encode(text, { ecc: "M", border: QUIET });
  let path = "";
  data.forEach((row, y) => row.forEach((dark, x) => (path += dark ? `M${x} ${y}h1v1h-1z` : "")));
  return html`<svg class="qr" role="img" aria-label=${label} viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">${svg`<path d=${path}></path>`}</svg>`;
}
