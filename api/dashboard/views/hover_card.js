/** What one trial is, beside the pointer. */

import { architectureText, measurement, metricLabel, quantity, stoppedAt } from "../format.js";
import { violatedBy } from "../front.js";
import { html } from "../vendor/preact-standalone.mjs";

/**
 * @param {{number: number, x: number, y: number, trials: import("../trial_table.js").TrialTable, bounds: any[],
 *   width: number}} props
 */
export function HoverCard({ number, x, y, trials, bounds, width }) {
  const i = trials.position(number);
  if (i < 0) return null;
  const measured = Object.entries(trials.metrics).filter(([, column]) => column.mean[i] !== null);
  const side = x > width / 2 ? { right: `${width - x + 14}px` } : { left: `${x + 14}px` };
  return html`
    <div class="hover-card" style=${{ top: `${Math.max(4, y - 20)}px`, ...side }}>
      <strong>Trial ${number}</strong>
      <span class="muted"> ${trials.origin[i]}</span>
      <dl class="facts small">
        ${measured.map(
          ([metric, { mean, sem, unit }]) => html`
            <dt key=${metric}>${metricLabel(metric)}</dt>
            <dd>${measurement({ mean: Number(mean[i]), sem: sem[i] ?? 0, unit })}</dd>
          `,
        )}
      </dl>
      <p class="small">${architectureText(trials.architecture(i))}</p>
      ${
        trials.share[i] < 1 &&
        html`
          <p class="small muted">${stoppedAt(trials.share[i])}</p>
        `
      }
      ${violatedBy(trials, bounds, i).map(
        (one) => html`
          <p key=${one.metric} class="small violated">${violationText(one)}</p>
        `,
      )}
    </div>
  `;
}

/** @param {{metric: string, amount: number | null, unit: string}} violation @returns {string} */
export function violationText({ metric, amount, unit }) {
  return amount === null
    ? `${metricLabel(metric)} not measured`
    : `${metricLabel(metric)} violated by ${quantity(amount, unit)}`;
}
