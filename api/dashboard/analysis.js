/** What a set of bounds makes of the trials: classes, front, best. Recomputed whenever either changes. */

import { bestOf, classify, FEASIBLE, frontAxes, INFEASIBLE, nonDominated, SCREENED, STOPPED, violations } from "./front.js";

/**
 * @typedef {object} Analysis
 * @property {import("./front.js").Bound[]} bounds
 * @property {string[]} objectives
 * @property {Float64Array} violation
 * @property {Uint8Array} classes
 * @property {string[]} axes Metrics of the problem's own front.
 * @property {number[]} front Positions on the front along the axes shown, by rising x.
 * @property {number} best Position; -1 when nothing was measured.
 * @property {{feasible: number, infeasible: number, screened: number, stopped: number}} counts
 */

/**
 * @param {import("./trial_table.js").TrialTable} trials
 * @param {{objectives: string[], bounds: import("./front.js").Bound[]}} problem
 * @param {[string, string]} shown Metrics on the axes of the plot.
 * @returns {Analysis}
 */
export function analyse(trials, { objectives, bounds }, [x, y]) {
  const violation = violations(trials, bounds);
  const classes = classify(trials, violation);
  const axes = frontAxes(objectives, bounds);
  const counts = { feasible: 0, infeasible: 0, screened: 0, stopped: 0 };
  for (const one of classes) {
    if (one === FEASIBLE) counts.feasible++;
    else if (one === INFEASIBLE) counts.infeasible++;
    else if (one === SCREENED) counts.screened++;
    else if (one === STOPPED) counts.stopped++;
  }
  // With one objective the front shows what other bounds would buy, so infeasible trials stay on it.
  const takesPart = objectives.length === 2 ? (i) => violation[i] === 0 : (i) => !Number.isNaN(violation[i]);
  const front = nonDominated(trials.means(x), trials.means(y), takesPart);
  return { bounds, objectives, violation, classes, axes, front, best: bestOf(trials, violation, axes), counts };
}

/**
 * Axes to show at first: the problem's own, completed by what there is to see.
 *
 * @param {string[]} objectives
 * @param {import("./front.js").Bound[]} bounds
 * @param {string[]} known Metrics with values.
 * @returns {[string, string]}
 */
export function defaultAxes(objectives, bounds, known) {
  const [x, y] = frontAxes(objectives, bounds);
  const other = ["noise_mse_relative", "noise_mse", ...known].find((name) => name !== x && known.includes(name));
  return [x, y ?? other ?? x];
}
