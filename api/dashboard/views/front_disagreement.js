/** Fronts that disagree: for each pair of figures, the trials that only one of the two would have kept. */

import { metricLabel, metricName } from "../format.js";
import { html } from "../vendor/preact-standalone.mjs";
import { TrialLinks } from "./trial_links.js";

/** @param {{id: string, query: Record<string, string>, fronts: any}} props */
export function FrontDisagreement({ id, query, fronts }) {
  if (!fronts) return null;
  const rows = pairs(fronts);
  const judged = Object.values(fronts.members).some((numbers) => numbers.length > 0);
  const links = (figure, only, other) => html`
    <div class="only">
      <span class="count">${only.length}</span>
      ${
        only.length > 0 &&
        html`
          <${TrialLinks}
            id=${id}
            query=${query}
            trials=${only}
            label="Trials on the front of ${figure}, and not of ${other}"
          />
        `
      }
    </div>
  `;
  return html`
    <div class="stack">
      <h3>Fronts that disagree</h3>
      ${
        judged
          ? html`
              <div class="scroll" tabindex="0">
                <table class="fronts">
                  <caption class="hidden-text">
                    Trials on the front of one figure and not of the other, each against ${metricName(fronts.against)}
                  </caption>
                  <thead>
                    <tr>
                      <th scope="col">One figure</th>
                      <th scope="col">Only on its front</th>
                      <th scope="col">The other</th>
                      <th scope="col">Only on its front</th>
                      <th scope="col" class="number">On both</th>
                    </tr>
                  </thead>
                  <tbody>
                    ${rows.map(({ first, second, onlyFirst, onlySecond, shared }) => {
                      const [one, other] = [metricLabel(first), metricLabel(second)];
                      return html`
                        <tr key=${`${first} ${second}`}>
                          <td>${one}</td>
                          <td>${links(one, onlyFirst, other)}</td>
                          <td>${other}</td>
                          <td>${links(other, onlySecond, one)}</td>
                          <td class="number">${shared}</td>
                        </tr>
                      `;
                    })}
                  </tbody>
                </table>
              </div>
              <p class="small muted">Each front is that of one figure against ${metricName(fronts.against)}.</p>
            `
          : html`
              <p class="small muted">No trial has been judged yet.</p>
            `
      }
    </div>
  `;
}

/** @param {any} fronts @returns {any[]} Each pair once, those that disagree most first. */
function pairs({ members, disagreement }) {
  const order = Object.keys(members);
  const told = new Map(disagreement.map((one) => [`${one.first} ${one.second}`, one]));
  return disagreement
    .filter(({ first, second }) => order.indexOf(first) < order.indexOf(second))
    .map(({ first, second, only_first: onlyFirst, shared }) => {
      const back = /** @type {any} */ (told.get(`${second} ${first}`));
      return { first, second, onlyFirst, onlySecond: back?.only_first ?? [], shared };
    })
    .sort((a, b) => apart(b) - apart(a));
}

/** @param {any} pair @returns {number} */
function apart({ onlyFirst, onlySecond }) {
  return onlyFirst.length + onlySecond.length;
}
