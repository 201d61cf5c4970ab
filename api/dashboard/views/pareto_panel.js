/** The Pareto plot with its axes, bounds to be dragged, legend and the table behind it. */

import { Chart } from "../charts/chart.js";
import { EpsilonLine } from "../charts/epsilon_line.js";
import { paretoOption } from "../charts/pareto.js";
import { fittingRange, scaleFor } from "../charts/scale.js";
import { metricLabel } from "../format.js";
import { palette, useTheme } from "../parts/theme.js";
import { setQuery } from "../router.js";
import { clearSelection, selectTrial } from "../selection.js";
import { html, useMemo, useRef, useState } from "../vendor/preact-standalone.mjs";
import { FrontTable } from "./front_table.js";
import { HoverCard } from "./hover_card.js";

/** @type {("x" | "y")[]} */
const AXES = ["x", "y"];
const SCALES = [
  ["linear", "Linear"],
  ["log", "Log"],
];

/** @param {any} props */
export function ParetoPanel({ model, front, query, version, bounds, draft, setDraft, shown, analysis, selected }) {
  const { trials } = model;
  const theme = useTheme();
  const [chart, setChart] = useState(/** @type {any} */ (null));
  const [hover, setHover] = useState(/** @type {any} */ (null));
  const [asTable, setAsTable] = useState(false);
  const [everything, setEverything] = useState(false);
  const [drawn, redrawLines] = useState(0);
  const latest = useRef(/** @type {any} */ ({}));
  latest.current = { query };
  const known = !draft && front && sameAxes(front.axes, shown) ? front.knee : null;
  const knee = known === trials.number[analysis.best] ? null : known;
  const { scales, ranges } = useMemo(() => {
    const values = shown.map((metric) => trials.means(metric));
    const scales = AXES.map((axis, i) => scaleFor(shown[i], values[i], query[scaleKey(axis)]));
    const whole = [true, everything]; // costs are of one order, so an even x axis shows them all
    const saved = shown.map((metric) => version?.constraints.find((bound) => bound.metric === metric)?.at_most);
    return { scales, ranges: scales.map((scale, i) => fittingRange(scale, values[i], saved[i], whole[i])) };
  }, [trials.revision, version, ...shown, ...AXES.map((axis) => query[scaleKey(axis)]), everything]);
  const option = useMemo(
    () => paretoOption({ trials, analysis, shown, scales, selected, knee, ranges, colours: palette() }),
    [trials.revision, analysis, selected, knee, ranges, theme],
  );

  const listen = (made) => {
    made.on(
      "click",
      ({ value, event }) =>
        value &&
        selectTrial(
          latest.current.query,
          value[2],
          event.event.shiftKey || event.event.ctrlKey || event.event.metaKey,
        ),
    );
    // Thousands of points are one shape to the chart, which is entered once: each move tells which point it is.
    made.on("mousemove", ({ value, event }) => {
      const point = value && { number: value[2], x: event.offsetX, y: event.offsetY };
      if (point) setHover((before) => (before?.number === point.number ? before : point));
    });
    made.on("mouseout", () => setHover(null));
    made.getZr().on("dblclick", () => zoom(made, 0, 100));
    setChart(made);
  };
  const move = (metric, atMost) =>
    setDraft(bounds.map((bound) => (bound.metric === metric ? { metric, at_most: atMost } : bound)));
  const lines = bounds.filter(({ metric }) => shown.includes(metric));
  return html`
    <section class="panel" aria-labelledby="pareto-title">
      <header>
        <h2 id="pareto-title">Trials and front</h2>
        ${AXES.map(
          (axis, i) => html`
            <${AxisChoice} key=${axis} name=${axis} trials=${trials} value=${shown[i]} scale=${scales[i].name} />
          `,
        )}
        <div class="end">
          ${
            selected &&
            html`
              <button class="small" onClick=${clearSelection}>Clear selection (${selected.size})</button>
            `
          }
          ${
            !asTable &&
            html`
              <${ZoomButtons} chart=${chart} />
            `
          }
          ${
            !asTable &&
            scales[1].name === "linear" &&
            html`
              <button
                class="small"
                aria-pressed=${everything}
                onClick=${() => setEverything(!everything)}
                title="Show every trial, also those far above the bound"
              >
                All trials
              </button>
            `
          }
          <button class="small" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>
        </div>
      </header>
      ${
        asTable
          ? html`
              <${FrontTable} id=${model.id} trials=${trials} analysis=${analysis} shown=${shown} query=${query} />
            `
          : trials.length === 0
            ? html`
                <div class="chart pareto">
                  <div class="veil muted">${model.complete ? "No trials yet" : "Loading trials…"}</div>
                </div>
              `
          : html`
      <${Chart}
        name="pareto"
        option=${option}
        axes=${shown.map((metric, i) => `${metric} ${scales[i].name}`).join()}
        onReady=${listen}
        onDrawn=${() => redrawLines((n) => n + 1)}
        label="${trials.length} trials, ${shown.map(metricLabel).join(" and ")}; the table shows the same"
      >
        ${
          drawn > 0 &&
          lines.map(
            ({ metric, at_most: atMost }) => html`
              <${EpsilonLine}
                key=${metric}
                chart=${chart}
                axis=${metric === shown[1] ? "y" : "x"}
                scale=${scales[metric === shown[1] ? 1 : 0]}
                metric=${metric}
                unit=${trials.metrics[metric]?.unit ?? "1"}
                value=${atMost}
                moved=${draft !== null}
                onMove=${(value) => move(metric, value)}
              />
            `,
          )
        }
        ${
          hover &&
          html`
            <${HoverCard} ...${hover} trials=${trials} bounds=${bounds} width=${chart.getWidth()} />
          `
        }
      </${Chart}>
      <${Legend} analysis=${analysis} knee=${knee} />`
      }
    </section>
  `;
}

/**
 * What an axis shows, and how. Another metric begins with the scale that suits it.
 *
 * @param {{name: "x" | "y", trials: import("../trial_table.js").TrialTable, value: string,
 *   scale: "linear" | "log"}} props
 */
function AxisChoice({ name, trials, value, scale }) {
  const known = Object.keys(trials.metrics).filter(
    (metric) => metric === value || trials.metrics[metric].mean.some((mean) => mean !== null),
  );
  return html`
    <div class="bar">
      <label class="inline small">
        <span class="muted">${name}</span>
        <select
          value=${value}
          onChange=${(event) => setQuery({ [name]: event.target.value, [scaleKey(name)]: "" })}
        >
          ${known.map(
            (metric) => html`
              <option key=${metric} value=${metric} selected=${metric === value}>${metricLabel(metric)}</option>
            `,
          )}
        </select>
      </label>
      <span class="segmented" role="group" aria-label="Scale of ${name}">
        ${SCALES.map(
          ([one, text]) => html`
            <button
              key=${one}
              class="small"
              aria-pressed=${one === scale}
              onClick=${() => setQuery({ [scaleKey(name)]: one })}
            >
              ${text}
            </button>
          `,
        )}
      </span>
    </div>
  `;
}

/** @param {{chart: any}} props */
function ZoomButtons({ chart }) {
  const by = (share) => () => {
    const [{ start, end }] = chart.getOption().dataZoom;
    const [middle, half] = [(start + end) / 2, ((end - start) / 2) * share];
    zoom(chart, Math.max(0, middle - half), Math.min(100, middle + half));
  };
  return html`
    <span class="segmented">
      <button class="small icon" aria-label="Zoom in" disabled=${!chart} onClick=${by(0.6)}>+</button>
      <button class="small icon" aria-label="Zoom out" disabled=${!chart} onClick=${by(1.7)}>−</button>
      <button class="small" disabled=${!chart} onClick=${() => zoom(chart, 0, 100)}>Reset zoom</button>
    </span>
  `;
}

/** @param {any} chart @param {number} start @param {number} end */
function zoom(chart, start, end) {
  chart.dispatchAction({ type: "dataZoom", batch: [0, 1].map((dataZoomIndex) => ({ dataZoomIndex, start, end })) });
}

/** @param {{analysis: any, knee: number | null}} props */
function Legend({ analysis, knee }) {
  const { feasible, infeasible, screened, stopped } = analysis.counts;
  return html`
    <ul class="legend small">
      <li>
        <i class="mark feasible" />
        within the bounds (${feasible})
      </li>
      <li>
        <i class="mark infeasible" />
        outside (${infeasible})
      </li>
      ${
        screened > 0 &&
        html`
          <li>
            <i class="mark screened" />
            screened by cost, fidelity not measured (${screened})
          </li>
        `
      }
      ${
        stopped > 0 &&
        html`
          <li>
            <i class="mark stopped" />
            clearly outside, stopped early (${stopped})
          </li>
        `
      }
      <li>
        <i class="mark front" />
        front
      </li>
      <li>
        <i class="mark best" />
        ${analysis.best >= 0 && analysis.violation[analysis.best] > 0 ? "least violating" : "best"}
      </li>
      ${
        knee !== null &&
        html`
          <li>
            <i class="mark knee" />
            knee
          </li>
        `
      }
      <li>
        <i class="mark interval" />
        95 % interval
      </li>
      <li class="muted">Ctrl + wheel zooms, drag pans</li>
    </ul>
  `;
}

/** @param {"x" | "y"} axis @returns {string} Where the address keeps the scale chosen for it. */
function scaleKey(axis) {
  return `${axis}scale`;
}

/** @param {string[]} axes @param {string[]} shown */
function sameAxes(axes, shown) {
  return axes.length === 2 && axes[0] === shown[0] && axes[1] === shown[1];
}
