/** Every trial in one table. Only the rows in sight exist, so ten thousand scroll like ten. */

import { architectureText, measurement, metricLabel, quantity, seen } from "../format.js";
import { FEASIBLE, SCREENED, STOPPED, UNMEASURED, isExact, violatedBy } from "../front.js";
import { linkTo } from "../router.js";
import { selectTrial } from "../selection.js";
import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-standalone.mjs";
import { violationText } from "./hover_card.js";
import { matcher, sortedPositions } from "./trial_order.js";

const ROW = 30;
const SPARE = 8;

/** @param {any} props */
export function TrialsPanel({ model, query, analysis, selected }) {
  const { trials } = model;
  const [order, setOrder] = useState({ by: "number", down: true });
  const [text, setText] = useState("");
  const [only, setOnly] = useState("all");
  const metrics = columnsAsked(trials, analysis);
  const rows = useMemo(() => {
    const matches = matcher(text, trials);
    const wanted = (i) =>
      only === "all" ||
      (only === "feasible"
        ? analysis.classes[i] === FEASIBLE
        : only === "failed"
          ? ["failed", "abandoned"].includes(trials.status[i])
          : selected?.has(trials.number[i]));
    return sortedPositions(trials, analysis, order, (i) => wanted(i) && matches(i));
  }, [trials.revision, analysis, order, text, only, selected]);
  return html`
    <section class="panel" aria-labelledby="trials-title">
      <header>
        <h2 id="trials-title">Trials</h2>
        <span class="muted small" role="status">
          ${rows.length === trials.length ? `${trials.length}` : `${rows.length} of ${trials.length}`}
        </span>
        <div class="end">
          <label class="hidden-text" for="trial-filter">Filter trials</label>
          <input
            id="trial-filter"
            type="search"
            placeholder="Filter: E1 RA, bayesian, failed…"
            value=${text}
            onInput=${(event) => setText(event.target.value)}
          />
          <label class="hidden-text" for="trial-class">Which trials</label>
          <select id="trial-class" value=${only} onChange=${(event) => setOnly(event.target.value)}>
            <option value="all">All</option>
            <option value="feasible">Within the bounds</option>
            <option value="failed">Without a result</option>
            <option value="selected">Selected</option>
          </select>
        </div>
      </header>
      <${Grid}
        rows=${rows}
        metrics=${metrics}
        order=${order}
        setOrder=${setOrder}
        trials=${trials}
        analysis=${analysis}
        selected=${selected}
        query=${query}
        id=${model.id}
      />
    </section>
  `;
}

/** @param {any} trials @param {any} analysis @returns {string[]} What was asked for first, then what else was measured. */
function columnsAsked(trials, analysis) {
  const asked = [...analysis.objectives, ...analysis.bounds.map((bound) => bound.metric)];
  const isMeasured = (metric) => trials.metrics[metric]?.mean.some((mean) => mean !== null);
  // The second convention of counting is one press away, in the trial itself.
  const others = Object.keys(trials.metrics).filter((metric) => metric !== "gmacs_without_attention_products");
  return [...new Set([...asked, ...others])].filter(isMeasured);
}

/** @param {any} props */
function Grid({ rows, metrics, order, setOrder, trials, analysis, selected, query, id }) {
  const box = useRef(/** @type {any} */ (null));
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(420);
  const [active, setActive] = useState(0);
  useEffect(() => {
    const sized = new ResizeObserver(() => setHeight(box.current.clientHeight));
    sized.observe(box.current);
    return () => sized.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(top / ROW) - SPARE);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW) + SPARE);
  const columns = columnsOf(metrics);
  const template = {
    gridTemplateColumns: columns
      .map(({ width }, c) => (c === columns.length - 1 ? `minmax(${width}px, 1fr)` : `${width}px`))
      .join(" "),
    minWidth: `${columns.reduce((sum, { width }) => sum + width, 0)}px`,
  };
  const press = (event) => {
    const step = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: Math.floor(height / ROW),
      PageUp: -Math.floor(height / ROW),
      Home: -Infinity,
      End: Infinity,
    }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = Math.min(rows.length - 1, Math.max(0, active + step));
      setActive(next);
      const view = box.current;
      if (next * ROW < view.scrollTop) view.scrollTop = next * ROW;
      else if ((next + 2) * ROW > view.scrollTop + view.clientHeight)
        view.scrollTop = (next + 2) * ROW - view.clientHeight;
    } else if (event.key === " " && rows.length) {
      event.preventDefault();
      selectTrial(query, trials.number[rows[active]], event.shiftKey);
    } else if (event.key === "Enter" && event.target === box.current && rows.length) {
      location.hash = linkTo(["searches", id], { ...query, trial: String(trials.number[rows[active]]) });
    }
  };
  return html`
    <div
      class="trial-grid"
      style=${{ "--rows": `${ROW * Math.max(3, rows.length + 1)}px` }}
      ref=${box}
      role="grid"
      tabindex="0"
      aria-labelledby="trials-title"
      aria-rowcount=${rows.length + 1}
      aria-colcount=${columns.length}
      aria-activedescendant=${rows.length ? `row-${trials.number[rows[active]]}` : undefined}
      onScroll=${(event) => setTop(event.target.scrollTop)}
      onKeyDown=${press}
    >
      <div class="grid-head" role="row" aria-rowindex="1" style=${template}>
        ${columns.map(
          (column) => html`
            <div
              key=${column.key}
              role="columnheader"
              class=${column.number ? "number" : ""}
              aria-sort=${order.by === column.key ? (order.down ? "descending" : "ascending") : undefined}
            >
              ${
                column.sorts
                  ? html`
                      <button
                        class="quiet small"
                        onClick=${() => setOrder({ by: column.key, down: order.by === column.key && !order.down })}
                      >
                        ${column.label}${order.by === column.key ? (order.down ? " ↓" : " ↑") : ""}
                      </button>
                    `
                  : column.label
              }
            </div>
          `,
        )}
      </div>
      <div
        class="grid-body"
        role="rowgroup"
        style=${{ height: `${rows.length * ROW}px`, minWidth: template.minWidth }}
      >
        ${rows.slice(first, last).map(
          (i, offset) => html`
            <${Row}
              key=${trials.number[i]}
              index=${first + offset}
              position=${i}
              trials=${trials}
              analysis=${analysis}
              metrics=${metrics}
              template=${template}
              active=${first + offset === active}
              selected=${selected}
              query=${query}
              id=${id}
              onActive=${() => setActive(first + offset)}
            />
          `,
        )}
      </div>
      ${
        rows.length === 0 &&
        html`
          <div class="empty">${trials.length ? "No trial matches." : "No trials yet."}</div>
        `
      }
    </div>
  `;
}

/** @param {any} props */
function Row({ index, position: i, trials, analysis, metrics, template, active, selected, query, id, onActive }) {
  const n = trials.number[i];
  const isSelected = selected?.has(n) ?? false;
  const kinds = Object.entries({ active, selected: isSelected, dimmed: selected && !isSelected }).filter(([, holds]) => holds);
  const pick = (event) => {
    onActive();
    if (event.target.tagName !== "A") selectTrial(query, n, event.shiftKey || event.ctrlKey || event.metaKey);
  };
  return html`
    <div
      id="row-${n}"
      role="row"
      class=${["grid-row", ...kinds.map(([kind]) => kind)].join(" ")}
      aria-rowindex=${index + 2}
      aria-selected=${isSelected ? "true" : "false"}
      style=${{ ...template, top: `${index * ROW}px` }}
      onClick=${pick}
    >
      <div role="gridcell">
        <a tabindex="-1" href=${linkTo(["searches", id], { ...query, trial: String(n) })}>${n}</a>
      </div>
      <div role="gridcell">
        ${trials.status[i]}${
          i === analysis.best &&
          html`${" "}<span class="badge good">${analysis.violation[i] === 0 ? "best" : "nearest"}</span>`
        }
      </div>
      <div role="gridcell" class="clip">${boundsText(trials, analysis, i)}</div>
      ${metrics.map(
        (metric) => html`
          <div key=${metric} role="gridcell" class="number">${measurement(trials.measurement(metric, i))}</div>
        `,
      )}
      <div role="gridcell" class="muted">${trials.origin[i]}</div>
      <div role="gridcell" class="clip muted">${architectureText(trials.architecture(i))}</div>
    </div>
  `;
}

/**
 * @param {string[]} metrics
 * @returns {{key: string, label: string, width: number, sorts: boolean, number?: boolean}[]}
 */
function columnsOf(metrics) {
  return [
    { key: "number", label: "Trial", width: 64, sorts: true },
    { key: "status", label: "Status", width: 132, sorts: true },
    { key: "violation", label: "Bounds", width: 190, sorts: true },
    ...metrics.map((metric) => ({
      key: metric,
      label: metricLabel(metric),
      width: isExact(metric) ? 112 : 150,
      sorts: true,
      number: true,
    })),
    { key: "origin", label: "Origin", width: 92, sorts: true },
    { key: "architecture", label: "Differs from the teacher at", width: 260, sorts: false },
  ];
}

/** @param {any} trials @param {any} analysis @param {number} i */
function boundsText(trials, analysis, i) {
  const kind = analysis.classes[i];
  if (kind === UNMEASURED) return "";
  if (kind === FEASIBLE) return "within";
  if (kind === STOPPED) return `stopped at ${seen(trials.share[i])}`;
  const why = violatedBy(trials, analysis.bounds, i).filter((one) => kind !== SCREENED || one.amount !== null);
  const short = analysis.bounds.length === 1 && why.length === 1 && why[0].amount !== null;
  const text = short ? `violated by ${quantity(why[0].amount, why[0].unit)}` : why.map(violationText).join(", ");
  return kind === SCREENED ? `screened; ${text}` : text;
}
