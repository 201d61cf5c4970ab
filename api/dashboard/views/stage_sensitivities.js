/** How much each stage matters for a metric, as the model has learned it. */

import { metricName, number } from "../format.js";
import { html } from "../vendor/preact-standalone.mjs";

/** @param {{metric: any, asTable: boolean}} props */
export function StageSensitivities({ metric, asTable }) {
  const { stages } = metric;
  if (!stages.length) return null;
  const most = Math.max(...stages.map((one) => one.share));
  const percent = (share) => `${Math.round(100 * share)} %`;
  return html`
    <div class="stack">
      <h3>What ${metricName(metric.metric)} depends on</h3>
      <div class="scroll" tabindex="0">
        <table class="compact sensitivities">
          <caption class="hidden-text">Share of the learned sensitivity, stage by stage</caption>
          <thead>
            <tr>
              <th scope="col">Stage</th>
              ${
                asTable
                  ? html`
                      <th scope="col" class="number">Learned weight</th>
                      <th scope="col" class="number">Typical block loss</th>
                    `
                  : html`
                      <th scope="col">Sensitivity</th>
                    `
              }
              <th scope="col" class="number">Share</th>
            </tr>
          </thead>
          <tbody>
            ${stages.map(
              (one) => html`
                <tr key=${one.stage}>
                  <th scope="row">${one.stage}</th>
                  ${
                    asTable
                      ? html`
                          <td class="number">${number(one.weight)}</td>
                          <td class="number">${number(one.contribution)}</td>
                        `
                      : html`
                          <td>
                            <div class="cost-bar">
                              <i class="own" style=${{ width: `${(100 * one.share) / most}%` }} />
                            </div>
                          </td>
                        `
                  }
                  <td class="number">${percent(one.share)}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </div>
  `;
}
