/**
 * Stage by block: what each block costs and how well it imitates the teacher's. Each stage is one row, from its
 * dearest block to its cheapest; a darker cell is more of what is shown.
 */

import { metricLabel, quantity } from "../format.js";
import { selectBlock } from "../selection.js";
import { html, useMemo, useState } from "../vendor/preact-standalone.mjs";

const SHOWN = [
  { field: "block_loss", label: "Block loss", unit: "1" },
  { field: "params", label: metricLabel("params"), unit: "parameters" },
  { field: "gmacs", label: metricLabel("gmacs"), unit: "1" },
  { field: "table_latency_ms", label: metricLabel("table_latency_ms"), unit: "ms" },
];

/** @param {any} props */
export function HeatMap({ model, query, analysis, selected }) {
  const { library, trials } = model;
  const [field, setField] = useState("block_loss");
  const [asTable, setAsTable] = useState(false);
  const rows = useMemo(() => (library ? stagesOf(library) : []), [library]);
  if (!library) return null;
  const known = SHOWN.filter((one) => library.entries.some((entry) => entry[one.field] !== null));
  const shown = known.find((one) => one.field === field) ?? known[0] ?? SHOWN[0];
  const best = analysis.best >= 0 ? trials.architecture(analysis.best) : {};
  const chosen = selectedArchitectures(selected, trials);
  return html`
    <section class="panel" aria-labelledby="blocks-title">
      <header>
        <h2 id="blocks-title">Blocks by stage</h2>
        <span class="segmented" role="group" aria-label="What the cells show">
          ${known.map(
            (one) => html`
              <button
                key=${one.field}
                class="small"
                aria-pressed=${one === shown}
                onClick=${() => setField(one.field)}
              >
                ${one.label}
              </button>
            `,
          )}
        </span>
        <span class="small muted legend">
          <span>
            <i class="mark choice" />
            chosen by the best
          </span>
          ${
            chosen &&
            html`
              <span>
                <i class="mark selected" />
                chosen by the selection
              </span>
            `
          }
        </span>
        <div class="end">
          <button class="small" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>
        </div>
      </header>
      ${
        asTable
          ? html`
              <${EntryTable} library=${library} best=${best} />
            `
          : html`
              <div class="heat-map">
                ${rows.map(
                  ({ stage, entries }) => html`
                    <div key=${stage} class="heat-row" role="group" aria-label="Stage ${stage}">
                      <span class="stage">${stage}</span>
                      <div class="cells">
                        ${entries.map(
                          (entry) => html`
                            <${Cell}
                              key=${entry.variant}
                              entry=${entry}
                              shown=${shown}
                              scale=${scaleOf(entries, shown.field)}
                              best=${best[stage] === entry.variant}
                              chosen=${chosen?.[stage]?.has(entry.variant)}
                              pressed=${query.block === `${stage}:${entry.variant}`}
                              dimmed=${chosen !== null && !chosen[stage]?.has(entry.variant)}
                              onClick=${() => selectBlock(query, stage, entry.variant)}
                            />
                          `,
                        )}
                      </div>
                    </div>
                  `,
                )}
              </div>
            `
      }
    </section>
  `;
}

/** @param {any} props */
function Cell({ entry, shown, scale, best, chosen, pressed, dimmed, onClick }) {
  const value = entry[shown.field];
  const missing = entry.state === "missing";
  const what = missing ? "not distilled yet" : `${shown.label} ${quantity(value, shown.unit)}`;
  const kinds = Object.entries({ best, chosen, dimmed, missing }).filter(([, holds]) => holds);
  return html`
    <button
      class=${["cell", ...kinds.map(([kind]) => kind)].join(" ")}
      style=${{ "--share": missing ? 0 : scale(value) }}
      aria-pressed=${Boolean(pressed)}
      title="${entry.stage} ${entry.variant}: ${what}. Press to select every trial with it."
      onClick=${onClick}
    >
      <span class="variant">${entry.variant}</span>
      <span class="value">${missing ? "–" : quantity(value, shown.unit)}</span>
      ${
        best &&
        html`
          <span class="hidden-text">, chosen by the best</span>
        `
      }
    </button>
  `;
}

/** @param {{library: any, best: Record<string, string>}} props */
function EntryTable({ library, best }) {
  return html`
    <div class="scroll short" tabindex="0">
      <table>
        <caption class="hidden-text">Block library</caption>
        <thead>
          <tr>
            <th scope="col">Stage</th>
            <th scope="col">Block</th>
            ${SHOWN.map(
              (one) => html`
                <th key=${one.field} scope="col" class="number">${one.label}</th>
              `,
            )}
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          ${library.entries.map(
            (entry) => html`
              <tr key=${entry.stage + entry.variant}>
                <td>${entry.stage}</td>
                <td>
                  ${entry.variant}${
                    best[entry.stage] === entry.variant &&
                    html`${" "}<span class="badge good">best</span>`
                  }
                </td>
                ${SHOWN.map(
                  (one) => html`
                    <td key=${one.field} class="number">${quantity(entry[one.field], one.unit)}</td>
                  `,
                )}
                <td>${entry.state}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/**
 * @param {any} library
 * @returns {{stage: string, entries: any[]}[]} Stages in order, their blocks from dear to cheap.
 */
function stagesOf(library) {
  return library.stages
    .map((stage) => ({
      stage,
      entries: library.entries
        .filter((entry) => entry.stage === stage)
        .sort((a, b) => (b.params ?? 0) - (a.params ?? 0)),
    }))
    .filter(({ entries }) => entries.length > 0);
}

/**
 * Shares of the largest value of the stage: stages differ by orders of magnitude.
 *
 * @param {any[]} entries
 * @param {string} field
 */
function scaleOf(entries, field) {
  const most = Math.max(...entries.map((entry) => entry[field] ?? 0));
  return (value) => (most > 0 ? (value ?? 0) / most : 0);
}

/**
 * @param {Set<number> | null} selected
 * @param {any} trials
 * @returns {Record<string, Set<string>> | null} Blocks by stage.
 */
function selectedArchitectures(selected, trials) {
  if (!selected || selected.size > 100) return null;
  /** @type {Record<string, Set<string>>} */
  const blocks = {};
  for (const number of selected) {
    const position = trials.position(number);
    if (position < 0) continue;
    for (const [stage, variant] of Object.entries(trials.architecture(position)))
      (blocks[stage] ??= new Set()).add(variant);
  }
  return blocks;
}
