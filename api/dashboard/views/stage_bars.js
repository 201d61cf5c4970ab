/** A network against its teacher, stage by stage: what each stage keeps of the teacher's cost. */

import { metricLabel, number, quantity } from "../format.js";
import { html, useState } from "../vendor/preact-standalone.mjs";

const COSTS = [
  { field: "params", unit: "parameters" },
  { field: "gmacs", unit: "1" },
  { field: "table_latency_ms", unit: "ms" },
];

/** @param {{stages: any[], distances: Record<string, number>}} props */
export function StageBars({ stages, distances }) {
  const known = COSTS.filter(({ field }) => stages.some((stage) => stage[field] !== null));
  const [field, setField] = useState("params");
  const shown = known.find((one) => one.field === field) ?? known[0];
  if (!shown) return null;
  const most = Math.max(...stages.map((stage) => stage[`teacher_${shown.field}`] ?? 0));
  return html`
    <section class="stack">
      <div class="bar">
        <h3>Against the teacher</h3>
        <span class="segmented" role="group" aria-label="Cost">
          ${known.map(
            (one) => html`
              <button
                key=${one.field}
                class="small"
                aria-pressed=${one === shown}
                onClick=${() => setField(one.field)}
              >
                ${metricLabel(one.field)}
              </button>
            `,
          )}
        </span>
      </div>
      <div class="scroll" tabindex="0">
        <table class="compact">
          <caption class="hidden-text">Stages of the network and of the teacher</caption>
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <th scope="col">Block</th>
              <th scope="col">${metricLabel(shown.field)}</th>
              <th scope="col" class="number">of teacher</th>
              <th scope="col" class="number">Block loss</th>
              <th scope="col" class="number">Distance</th>
            </tr>
          </thead>
          <tbody>
            ${stages.map((stage) => {
              const [own, teacher] = [stage[shown.field] ?? 0, stage[`teacher_${shown.field}`] ?? 0];
              return html`
                <tr key=${stage.stage}>
                  <td>${stage.stage}</td>
                  <td class=${stage.variant === "teacher" ? "muted" : ""}>${stage.variant}</td>
                  <td>
                    <div class="cost-bar" title="${quantity(own, shown.unit)} of ${quantity(teacher, shown.unit)}">
                      <i class="teacher" style=${{ width: `${(100 * teacher) / most}%` }} />
                      <i class="own" style=${{ width: `${(100 * own) / most}%` }} />
                    </div>
                  </td>
                  <td class="number">${teacher > 0 ? `${Math.round((100 * own) / teacher)} %` : "–"}</td>
                  <td class="number">${number(stage.block_loss)}</td>
                  <td class="number">${number(distances[stage.stage])}</td>
                </tr>
              `;
            })}
          </tbody>
        </table>
      </div>
    </section>
  `;
}
