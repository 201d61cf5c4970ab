/** Bounds in one line. */

import { metricLabel, number } from "../format.js";
import { html } from "../vendor/preact-standalone.mjs";

/** @param {{bounds: Record<string, number>}} props */
export function BoundsText({ bounds }) {
  const all = Object.entries(bounds);
  if (!all.length)
    return html`
      <span class="muted">none</span>
    `;
  return html`
    ${all.map(
      ([metric, atMost], i) => html`
        <span key=${metric} class="nowrap">${i > 0 && ", "}${metricLabel(metric)} ≤ ${number(atMost)}</span>
      `,
    )}
  `;
}
