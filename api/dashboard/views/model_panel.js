/** How far the model of a search can be trusted: a verdict with remedies, predictions against measurements, stages. */

import { Chart } from "../charts/chart.js";
import { isInside, predictionsOption } from "../charts/predictions.js";
import { metricLabel, metricName, number } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { palette, useTheme } from "../parts/theme.js";
import { html, useMemo, useRef, useState } from "../vendor/preact-standalone.mjs";
import { StageSensitivities } from "./stage_sensitivities.js";
import { useFetched } from "./use_fetched.js";
import { usePaced, useSeen } from "./use_seen.js";

const TONES = { good: "good", fair: "warn", poor: "bad", "too early": "" };
const MARKS = { problem: ["bad", "problem"], warning: ["warn", "warning"], note: ["", "note"], good: ["good", "fine"] };

/** @param {any} props */
export function ModelPanel({ model }) {
  const box = useRef(/** @type {any} */ (null));
  const seen = useSeen(box, model.complete);
  const round = usePaced(model.search.last_event);
  const { value, problem, reload } = useFetched(seen && `/v1/searches/${model.id}/health`, {}, [
    round,
    model.search.bounds_version,
  ]);
  const [wanted, setWanted] = useState("");
  const [asTable, setAsTable] = useState(false);
  const metrics = value?.metrics ?? [];
  const metric = metrics.find((one) => one.metric === wanted) ?? metrics[0];
  return html`
    <section class="panel model" aria-labelledby="model-title" aria-busy=${!value && !problem} ref=${box}>
      <header>
        <h2 id="model-title">Model</h2>
        ${
          value &&
          html`
            <span class="badge ${TONES[value.verdict]}">${value.verdict}</span>
          `
        }
        <span class="small muted">${value ? value.summary : "How far its predictions can be trusted"}</span>
        ${
          metrics.length > 1 &&
          html`
            <span class="segmented" role="group" aria-label="Metric">
              ${metrics.map(
                (one) => html`
                  <button
                    key=${one.metric}
                    class="small"
                    aria-pressed=${one === metric}
                    onClick=${() => setWanted(one.metric)}
                  >
                    ${metricLabel(one.metric)}
                  </button>
                `,
              )}
            </span>
          `
        }
        <div class="end">
          <button class="small" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>
        </div>
      </header>
      <div class="body stack">
        <${ProblemNotice} problem=${problem} retry=${reload} />
        ${
          !value &&
          !problem &&
          html`
            <p class="muted" role="status">Fitting the model…</p>
          `
        }
        ${
          value &&
          html`
            <${Findings} findings=${value.findings} />
          `
        }
      </div>
      ${
        metric?.leave_one_out &&
        html`
          <div class="model-charts">
            <${Predictions} metric=${metric} asTable=${asTable} />
            <${StageSensitivities} metric=${metric} asTable=${asTable} />
          </div>
        `
      }
    </section>
  `;
}

/** @param {{findings: any[]}} props */
function Findings({ findings }) {
  return html`
    <ul class="findings">
      ${findings.map(({ code, metric, severity, finding, remedy }) => {
        const [tone, word] = MARKS[severity];
        return html`
          <li key=${code + metric}>
            <span class="badge ${tone}">${word}</span>
            <span>
              ${finding}
              ${
                remedy &&
                html`
                  ${" "}<strong>${remedy}</strong>
                `
              }
            </span>
          </li>
        `;
      })}
    </ul>
  `;
}

/** @param {{metric: any, asTable: boolean}} props */
function Predictions({ metric, asTable }) {
  const theme = useTheme();
  const { predictions, leave_one_out: errors } = metric;
  const option = useMemo(() => predictionsOption(predictions, metric.metric, palette()), [metric, theme]);
  const inside = predictions.filter(isInside).length;
  return html`
    <div class="stack">
      <h3>Predicted and measured ${metricName(metric.metric)}</h3>
      ${
        asTable
          ? html`
              <${PredictionTable} predictions=${predictions} />
            `
          : html`
              <${Chart}
                name="predictions"
                axes=${metric.metric}
                option=${option}
                label="Predictions made without the measurement, against the measurement; the table shows the same"
              />
            `
      }
      <p class="small muted">
        ${inside} of ${predictions.length} measurements lie in the 95 % intervals
        (<i class="mark feasible" /> inside, <i class="mark beyond" /> outside); off by a factor of
        ${" "}${number(errors.factor)}; order agrees with a Kendall tau of
        ${" "}${errors.kendall_tau === null ? "–" : number(Number(errors.kendall_tau.toFixed(2)))}.
      </p>
    </div>
  `;
}

/** @param {{predictions: import("../charts/predictions.js").Prediction[]}} props */
function PredictionTable({ predictions }) {
  return html`
    <div class="scroll short" tabindex="0">
      <table class="compact">
        <caption class="hidden-text">Trials as predicted without their measurement, and as measured</caption>
        <thead>
          <tr>
            <th scope="col" class="number">Trial</th>
            <th scope="col" class="number">Measured</th>
            <th scope="col" class="number">Predicted</th>
            <th scope="col" class="number">95 % interval</th>
            <th scope="col">Inside</th>
          </tr>
        </thead>
        <tbody>
          ${predictions.map(
            (one) => html`
              <tr key=${one.trial}>
                <td class="number">${one.trial}</td>
                <td class="number">${number(one.measured)}</td>
                <td class="number">${number(one.predicted)}</td>
                <td class="number">${number(one.low)} to ${number(one.high)}</td>
                <td>${isInside(one) ? "yes" : "no"}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
