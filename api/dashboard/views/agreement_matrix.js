/** Kendall's tau of every pair of figures: blue where they order architectures alike, orange where the other way round. */

import { metricLabel, number } from "../format.js";
import { html, useMemo } from "../vendor/preact-standalone.mjs";

/** @typedef {{first: string, second: string, over: string, count: number, kendall_tau: number | null,
 *   spearman: number | null}} Agreement */

/** @param {{agreement: Agreement[], architectures: number, asTable: boolean}} props */
export function AgreementMatrix({ agreement, architectures, asTable }) {
  const { figures, measured, found } = useMemo(() => arranged(agreement), [agreement]);
  return html`
    <div class="stack">
      <h3>Agreement in order</h3>
      ${
        asTable
          ? html`
              <${AgreementTable} agreement=${agreement} />
            `
          : html`
              <div class="scroll" tabindex="0">
                <table class="matrix">
                  <caption class="hidden-text">Kendall tau of every pair of figures</caption>
                  <thead>
                    ${
                      measured.length > 0 &&
                      html`
                        <tr>
                          <td />
                          <th scope="colgroup" colspan=${figures.length}>Over the space</th>
                          <th scope="colgroup" colspan=${measured.length} class="apart">Over assembled networks</th>
                        </tr>
                      `
                    }
                    <tr>
                      <td />
                      ${figures.map(
                        (one) => html`
                          <th key=${one} scope="col">${metricLabel(one)}</th>
                        `,
                      )}
                      ${measured.map(
                        (one, place) => html`
                          <th key=${one} scope="col" class=${place ? "" : "apart"}>${metricLabel(one)}</th>
                        `,
                      )}
                    </tr>
                  </thead>
                  <tbody>
                    ${figures.map(
                      (row) => html`
                        <tr key=${row}>
                          <th scope="row">${metricLabel(row)}</th>
                          ${figures.map(
                            (column) => html`
                              <${Tau} key=${column} row=${row} column=${column} one=${found(row, column)} />
                            `,
                          )}
                          ${measured.map(
                            (column, place) => html`
                              <${Tau}
                                key=${column}
                                row=${row}
                                column=${column}
                                one=${found(row, column)}
                                apart=${place === 0}
                              />
                            `,
                          )}
                        </tr>
                      `,
                    )}
                  </tbody>
                </table>
              </div>
              <p class="legend small muted">
                <span>
                  <i class="scale" />
                  Kendall tau: −1 opposite, 0 unrelated, 1 the same order
                </span>
              </p>
            `
      }
      <p class="small muted">
        Over ${number(architectures)} architectures of the space, by table and by
        count${measured.length > 0 && `; over ${counted(agreement)} assembled networks as measured`}.
      </p>
    </div>
  `;
}

/** @param {{row: string, column: string, one: Agreement | undefined, apart?: boolean}} props */
function Tau({ row, column, one, apart }) {
  const place = apart ? "apart" : "";
  if (row === column) return html`<td class="same ${place}"><span class="hidden-text">the same</span></td>`;
  const tau = one?.kendall_tau ?? null;
  if (tau === null)
    return html`
      <td class="number ${place}">–</td>
    `;
  const pair = `${metricLabel(row)} and ${metricLabel(column)}`;
  return html`
    <td
      class="tau number ${tau < 0 ? "against" : ""} ${place}"
      style=${{ "--share": Math.abs(tau) }}
      title="${pair}: ${number(Number(tau.toFixed(3)))} over ${one?.count}"
    >
      ${tau.toFixed(2).replace("-", "−")}
    </td>
  `;
}

/** @param {{agreement: Agreement[]}} props */
function AgreementTable({ agreement }) {
  return html`
    <div class="scroll short" tabindex="0">
      <table class="compact">
        <caption class="hidden-text">Agreement in order of every pair of figures</caption>
        <thead>
          <tr>
            <th scope="col">Figure</th>
            <th scope="col">against</th>
            <th scope="col">Over</th>
            <th scope="col" class="number">Kendall tau</th>
            <th scope="col" class="number">Spearman</th>
          </tr>
        </thead>
        <tbody>
          ${agreement.map(
            (one) => html`
              <tr key=${`${one.first} ${one.second}`}>
                <td>${metricLabel(one.first)}</td>
                <td>${metricLabel(one.second)}</td>
                <td>${one.over === "space" ? `${one.count} architectures` : `${one.count} measured`}</td>
                <td class="number">${rounded(one.kendall_tau)}</td>
                <td class="number">${rounded(one.spearman)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {number | null} value @returns {string} */
function rounded(value) {
  return value === null ? "–" : value.toFixed(3).replace("-", "−");
}

/** @param {Agreement[]} agreement @returns {string} How many networks were measured: "5", or "5 to 7". */
function counted(agreement) {
  const counts = agreement.filter(({ over }) => over === "measured").map(({ count }) => count);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${most}` : `${least} to ${most}`;
}

/**
 * @param {Agreement[]} agreement
 * @returns {{figures: string[], measured: string[], found: (a: string, b: string) => Agreement | undefined}}
 *   Figures that every architecture has, and latencies that only measured networks have.
 */
function arranged(agreement) {
  const named = (over) => agreement.filter((one) => one.over === over);
  const figures = [...new Set(named("space").flatMap(({ first, second }) => [first, second]))];
  const measured = [...new Set(named("measured").map(({ second }) => second))];
  const pairs = new Map(agreement.map((one) => [`${one.first} ${one.second}`, one]));
  return { figures, measured, found: (a, b) => pairs.get(`${a} ${b}`) ?? pairs.get(`${b} ${a}`) };
}
