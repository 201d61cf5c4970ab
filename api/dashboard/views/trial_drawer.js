/** One trial in full: what was measured, how its network differs from the teacher's, how it was tried, its export. */

import { duration, measurement, metricLabel, moment, quantity, stoppedAt } from "../format.js";
import { Loading, ProblemNotice } from "../parts/notice.js";
import { StatusBadge } from "../parts/status.js";
import { setQuery } from "../router.js";
import { html, useEffect, useRef } from "../vendor/preact-standalone.mjs";
import { ExportPanel } from "./export_panel.js";
import { StageBars } from "./stage_bars.js";
import { useFetched } from "./use_fetched.js";

/** @param {any} props */
export function TrialDrawer({ model, me, number, bounds }) {
  const position = model.trials.position(number);
  const status = position >= 0 ? model.trials.status[position] : "";
  const { value: trial, problem, reload } = useFetched(`/v1/searches/${model.id}/trials/${number}`, {}, [status]);
  const box = useRef(/** @type {any} */ (null));
  useEffect(() => {
    const before = /** @type {HTMLElement} */ (document.activeElement);
    box.current.focus();
    return () => before?.focus?.();
  }, []);
  const close = () => setQuery({ trial: "" });
  return html`
    <div
      class="drawer"
      ref=${box}
      tabindex="-1"
      role="dialog"
      aria-labelledby="drawer-title"
      onKeyDown=${(event) => event.key === "Escape" && close()}
    >
      <header class="bar">
        <h2 id="drawer-title">Trial ${number}</h2>
        ${
          trial &&
          html`
            <${StatusBadge} status=${trial.status} />
          `
        }
        ${
          trial &&
          html`
            <span class="muted small">${trial.origin} · bounds version ${trial.bounds_version}</span>
          `
        }
        <button class="quiet icon end" aria-label="Close" onClick=${close}>✕</button>
      </header>
      <div class="drawer-body stack">
        <${ProblemNotice} problem=${problem} retry=${reload} />
        ${
          !trial &&
          !problem &&
          html`
            <${Loading} />
          `
        }
        ${
          trial &&
          html`
            <${Measured} trial=${trial} bounds=${bounds} />
          `
        }
        ${
          trial &&
          trial.stages.length > 0 &&
          html`
            <${StageBars} stages=${trial.stages} distances=${trial.stage_distances} />
          `
        }
        ${
          trial?.status === "completed" &&
          html`
            <${ExportPanel} model=${model} me=${me} number=${number} />
          `
        }
        ${
          trial &&
          html`
            <${Attempts} trial=${trial} />
          `
        }
      </div>
    </div>
  `;
}

/**
 * @param {{trial: any, bounds: import("../front.js").Bound[]}} props Judged by the bounds shown, which may be
 *   moved ones.
 */
function Measured({ trial, bounds }) {
  const metrics = Object.entries(trial.metrics);
  return html`
    <section>
      ${
        trial.failure &&
        html`
          <${ProblemNotice} problem=${new Error(`${trial.failure.message} (${trial.failure.code})`)} />
        `
      }
      ${
        trial.screened &&
        html`
          <p class="notice">Screened: it breaks an exact bound, so nothing was spent on its fidelity.</p>
        `
      }
      ${
        trial.share < 1 &&
        html`
          <p class="notice">
            Evaluation ${stoppedAt(trial.share)}: it was clearly beyond a bound. What is shown is rough; the trial takes part
            in no front.
          </p>
        `
      }
      ${
        metrics.length > 0 &&
        html`
          <table class="compact">
            <caption class="hidden-text">Metrics</caption>
            <thead>
              <tr>
                <th scope="col">Metric</th>
                <th scope="col" class="number">Mean ± 95 %</th>
                <th scope="col">Bound</th>
              </tr>
            </thead>
            <tbody>
              ${metrics.map(
                ([name, value]) => html`
                  <tr key=${name}>
                    <td>${metricLabel(name)}</td>
                    <td class="number">${measurement(value)}</td>
                    <td>
                      ${verdict(
                        value,
                        bounds.find((bound) => bound.metric === name),
                        trial.share < 1,
                      )}
                    </td>
                  </tr>
                `,
              )}
            </tbody>
          </table>
        `
      }
      ${
        trial.band_noise_mse.length > 0 &&
        html`
          <p class="small muted">
            Noise MSE by timestep band, early to late:${" "}
              ${trial.band_noise_mse.map((value) => quantity(value)).join(" · ")}
          </p>
        `
      }
    </section>
  `;
}

/**
 * @param {{mean: number, sem: number, unit: string}} value @param {import("../front.js").Bound | undefined} bound
 * @param {boolean} stopped Early: its means rule out, and never let in.
 */
function verdict({ mean, sem, unit }, bound, stopped) {
  if (!bound) return "";
  if (mean <= bound.at_most && stopped && sem > 0)
    return html`
      <span class="muted">too few samples to tell</span>
    `;
  if (mean <= bound.at_most)
    return html`
      <span class="muted">≤ ${quantity(bound.at_most, unit)}</span>
    `;
  return html`
    <span class="violated">violated by ${quantity(mean - bound.at_most, unit)}</span>
  `;
}

/** @param {{trial: any}} props */
function Attempts({ trial }) {
  if (!trial.attempts.length)
    return html`
      <p class="muted">
        ${trial.status === "completed"
          ? "No attempts: the result was known already, or exact bounds decided."
          : "No attempts: it waits for a worker."}
      </p>
    `;
  return html`
    <section class="stack">
      <h3>Attempts</h3>
      ${trial.attempts.map(
        (attempt, i) => html`
          <div key=${i} class="attempt">
            <p>
              <strong>${i + 1}</strong>
              ${` · ${moment(attempt.started_at)} · ${lasted(attempt, trial)}`}
            </p>
            ${
              attempt.failure &&
              html`
                <p class="violated">
                  ${attempt.failure.message}${" "}<code>${attempt.failure.code}</code>
                </p>
              `
            }
            ${
              attempt.log &&
              html`
                <details>
                  <summary>Log</summary>
                  <pre tabindex="0">${attempt.log}</pre>
                </details>
              `
            }
          </div>
        `,
      )}
    </section>
  `;
}

/** @param {any} attempt @param {any} trial @returns {string} */
function lasted(attempt, trial) {
  if (attempt.ended_at) return duration(attempt.ended_at - attempt.started_at);
  return trial.status === "running" ? "running" : "ended with its coordinator";
}
