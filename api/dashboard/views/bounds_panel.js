/** The bounds: versions to look at, values to move, and what the moved ones make of the trials. */

import { change } from "../client.js";
import { ago, metricLabel } from "../format.js";
import { nearestMisses, violatedBy } from "../front.js";
import { ProblemNotice } from "../parts/notice.js";
import { NumberInput } from "../parts/number_input.js";
import { ENDED } from "../parts/status.js";
import { linkTo, setQuery } from "../router.js";
import { html, useState } from "../vendor/preact-standalone.mjs";
import { BoundsText } from "./bounds_text.js";
import { violationText } from "./hover_card.js";

const RANKED = 5;

/** @param {any} props */
export function BoundsPanel({ model, me, version, bounds, draft, base, setDraft, rebase, analysis }) {
  const { trials, versions } = model;
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [saving, setSaving] = useState(false);
  const newest = versions.at(-1);
  const set = (metric, atMost) =>
    atMost > 0 && setDraft(bounds.map((bound) => (bound.metric === metric ? { metric, at_most: atMost } : bound)));
  const free = Object.keys(trials.metrics).filter((metric) => !bounds.some((bound) => bound.metric === metric));
  const add = (metric) => setDraft([...bounds, { metric, at_most: startingBound(trials, analysis, metric) }]);
  const look = (chosen) => {
    setDraft(null);
    setQuery({ bounds: chosen === String(newest.version) ? "" : chosen });
  };
  const save = async () => {
    setSaving(true);
    setProblem(null);
    try {
      await change("POST", `/v1/searches/${model.id}/bounds`, {
        constraints: bounds,
        objectives: version.objectives,
        base_version: base,
      });
      await model.readBounds();
      setDraft(null);
      setQuery({ bounds: "" });
      model.refresh();
    } catch (error) {
      setProblem(error);
    }
    setSaving(false);
  };
  const cannotSave = Boolean(model.search.deleted_at) || base !== newest?.version;
  const ended = ENDED.includes(model.search.status);
  const { feasible, infeasible, screened, stopped } = analysis.counts;
  return html`
    <section class="panel bounds" aria-labelledby="bounds-title">
      <header>
        <h2 id="bounds-title">Bounds</h2>
        <div class="end">
          <label class="hidden-text" for="version">Version of the bounds</label>
          <select id="version" value=${String(version?.version)} onChange=${(event) => look(event.target.value)}>
            ${[...versions].reverse().map(
              (one) => html`
                <option key=${one.version} value=${String(one.version)}>
                  Version ${one.version}${one === newest ? ", in force" : `, ${ago(one.at)}`}
                </option>
              `,
            )}
          </select>
        </div>
      </header>
      <div class="body stack">
        ${bounds.map(
          ({ metric, at_most: atMost }) => html`
            <div key=${metric} class="bound-row">
              <label for="bound-${metric}">${metricLabel(metric)}</label>
              <span class="muted">≤</span>
              <${NumberInput} id="bound-${metric}" value=${atMost} onText=${(text) => set(metric, Number(text))} />
              <button
                class="quiet small icon"
                aria-label="Remove the bound on ${metricLabel(metric)}"
                title="Remove"
                onClick=${() => setDraft(bounds.filter((bound) => bound.metric !== metric))}
              >
                ✕
              </button>
            </div>
          `,
        )}
        ${
          bounds.length === 0 &&
          html`
            <p class="muted">No bounds: every measured trial counts.</p>
          `
        }
        ${
          free.length > 0 &&
          bounds.length < 8 &&
          html`
            <div>
              <label class="hidden-text" for="add-bound">Add a bound</label>
              <select
                id="add-bound"
                value=""
                onChange=${(event) => {
                  add(event.target.value);
                  event.target.value = "";
                }}
              >
                <option value="">Add a bound…</option>
                ${free.map(
                  (metric) => html`
                    <option key=${metric} value=${metric}>${metricLabel(metric)}</option>
                  `,
                )}
              </select>
            </div>
          `
        }
        <p class="verdict" role="status">
          <strong>${feasible}</strong>${" within, "}<strong>${infeasible}</strong>${" outside"}
          ${screened > 0 && html`${", "}<strong>${screened}</strong>${" screened"}`}
          ${stopped > 0 && html`${", "}<strong>${stopped}</strong>${" stopped early"}`}
        </p>
        <${NearestMisses} trials=${trials} analysis=${analysis} id=${model.id} />
        <${ProblemNotice} problem=${problem} />
        ${
          draft &&
          base !== newest.version &&
          html`
            <div class="notice" role="status">
              <p>
                <strong>Moved by somebody else meanwhile:</strong>${" version "}${newest.version}${" says "}
                <${BoundsText} bounds=${boundsOf(newest)} />.
              </p>
              <p><button class="small" onClick=${rebase}>Keep mine</button></p>
            </div>
          `
        }
        ${
          draft &&
          html`
            <div class="bar">
              ${
                me.role !== "reader" &&
                html`
                  <button class="primary" disabled=${saving || cannotSave} onClick=${save}>
                    Save as version ${newest.version + 1}
                  </button>
                `
              }
              <button
                onClick=${() => {
                  setProblem(null);
                  setDraft(null);
                }}
              >
                Discard
              </button>
              <span class="small muted">
                ${
                  me.role === "reader"
                    ? "Your key may look, not save."
                    : `Saved bounds ${ended ? "judge the trials anew" : "steer the running search"}.`
                }
              </span>
            </div>
          `
        }
        ${
          !draft &&
          version !== newest &&
          html`
            <p class="small muted">
              You look at an earlier version.${" "}
              <button class="small" onClick=${() => look(String(newest.version))}>Back to the one in force</button>
            </p>
          `
        }
      </div>
    </section>
  `;
}

/** @param {any} version @returns {Record<string, number>} */
function boundsOf({ constraints }) {
  return Object.fromEntries(constraints.map(({ metric, at_most: atMost }) => [metric, atMost]));
}

/** While nothing is feasible: what comes nearest, and by how much it misses. */
function NearestMisses({ trials, analysis, id }) {
  if (analysis.best < 0 || analysis.violation[analysis.best] === 0) return null;
  return html`
    <div class="misses">
      <h3>Nothing is within the bounds; nearest:</h3>
      <ol>
        ${nearestMisses(trials, analysis.violation, analysis.axes, RANKED).map(
          (i) => html`
            <li key=${trials.number[i]}>
              <a href=${linkTo(["searches", id], { trial: String(trials.number[i]) })}>Trial ${trials.number[i]}</a>
              <span class="small"> ${violatedBy(trials, analysis.bounds, i).map(violationText).join(", ")}</span>
            </li>
          `,
        )}
      </ol>
    </div>
  `;
}

/** A new bound starts where the best trial stands, so that adding it changes nothing yet. */
function startingBound(trials, analysis, metric) {
  const means = trials.metrics[metric].mean;
  const here = analysis.best >= 0 ? means[analysis.best] : null;
  const most = means.reduce((high, mean) => Math.max(high, mean ?? 0), 0);
  const value = here !== null && here > 0 ? here : most || 1;
  return Number((value * 1.0005).toPrecision(4));
}
