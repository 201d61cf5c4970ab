/** The front as a table: what the plot shows, for those who read rather than look. */

import { architectureText, measurement, metricLabel } from "../format.js";
import { violatedBy } from "../front.js";
import { linkTo } from "../router.js";
import { html } from "../vendor/preact-standalone.mjs";
import { violationText } from "./hover_card.js";

/**
 * @param {{id: string, trials: import("../trial_table.js").TrialTable, analysis: any, shown: string[],
 *   query: any}} props
 */
export function FrontTable({ id, trials, analysis, shown, query }) {
  return html`
    <div class="scroll tall" tabindex="0">
      <table>
        <caption class="hidden-text">Trials on the front, by rising ${metricLabel(shown[0])}</caption>
        <thead>
          <tr>
            <th scope="col">Trial</th>
            ${shown.map(
              (metric) => html`
                <th key=${metric} scope="col" class="number">${metricLabel(metric)}</th>
              `,
            )}
            <th scope="col">Bounds</th>
            <th scope="col">Architecture</th>
          </tr>
        </thead>
        <tbody>
          ${analysis.front.map(
            (i) => html`
              <tr key=${trials.number[i]}>
                <td class="nowrap">
                  <a href=${linkTo(["searches", id], { ...query, trial: String(trials.number[i]) })}>
                    ${trials.number[i]}
                  </a>
                  ${
                    i === analysis.best &&
                    html`${" "}<span class="badge good">best</span>`
                  }
                </td>
                ${shown.map(
                  (metric) => html`
                    <td key=${metric} class="number">${measurement(trials.measurement(metric, i))}</td>
                  `,
                )}
                <td class="small">
                  ${violatedBy(trials, analysis.bounds, i).map(violationText).join(", ") || "within"}
                </td>
                <td class="small">${architectureText(trials.architecture(i))}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
