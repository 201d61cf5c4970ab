/**
 * What the server computes from trials and bounds, computed again in the browser so that a bound can be moved
 * and everything follows in the same frame. Pure functions over columns; the server's words and rules
 * (feasible, violation, front, best) hold here to the letter.
 */

/** @typedef {{metric: string, at_most: number}} Bound */
/** @typedef {{unit: string, mean: (number | null)[], sem: (number | null)[]}} Column */
/** @typedef {{number: number[], status: string[], share: number[], metrics: Record<string, Column>}} Points */

const EXACT_METRICS = ["params", "gmacs", "gmacs_without_attention_products", "table_latency_ms"];

/** @param {string} metric @returns {boolean} Whether it is a function of the architecture, on whatever device. */
export function isExact(metric) {
  return EXACT_METRICS.includes(metric) || metric.startsWith("table_latency_ms_");
}

/** @param {string} metric @returns {boolean} Whether it says how near to the teacher a network is. */
export function isFidelity(metric) {
  return !isExact(metric) && metric !== "latency_ms" && !metric.startsWith("latency_ms_");
}

/** Trial classes, as small integers for fast columns. */
export const UNMEASURED = 0;
export const FEASIBLE = 1;
export const INFEASIBLE = 2;
export const SCREENED = 3;
/** Its evaluation ended before the last sample, clearly beyond a bound: it takes part in nothing. */
export const STOPPED = 4;

/**
 * Sum of relative violations per trial: 0 when feasible, infinite where a bounded metric is unmeasured, NaN
 * where nothing was measured or the evaluation was stopped early.
 *
 * @param {Points} points
 * @param {Bound[]} bounds
 * @returns {Float64Array}
 */
export function violations(points, bounds) {
  const result = new Float64Array(points.number.length);
  for (let i = 0; i < result.length; i++) if (!isMeasured(points, i)) result[i] = NaN;
  for (const { metric, at_most: atMost } of bounds) {
    const means = points.metrics[metric]?.mean;
    for (let i = 0; i < result.length; i++) {
      const mean = means?.[i] ?? null;
      result[i] += mean === null ? Infinity : Math.max(0, mean / atMost - 1);
    }
  }
  return result;
}

/**
 * @param {Points} points
 * @param {Float64Array} violation
 * @returns {Uint8Array} The class of every trial.
 */
export function classify(points, violation) {
  const fidelity = Object.keys(points.metrics).filter(isFidelity);
  const result = new Uint8Array(violation.length);
  for (let i = 0; i < result.length; i++) {
    if (isStopped(points, i)) result[i] = STOPPED;
    if (Number.isNaN(violation[i])) continue;
    const judged = fidelity.some((name) => points.metrics[name].mean[i] !== null);
    result[i] = !judged && fidelity.length ? SCREENED : violation[i] === 0 ? FEASIBLE : INFEASIBLE;
  }
  return result;
}

/**
 * Metrics along which a front is drawn: both objectives, or the one objective and the first bounded metric that
 * has to be estimated, fidelities before latencies.
 *
 * @param {string[]} objectives
 * @param {Bound[]} bounds
 * @returns {string[]}
 */
export function frontAxes(objectives, bounds) {
  if (objectives.length === 2) return objectives;
  const estimated = bounds.filter(({ metric }) => !isExact(metric) && !objectives.includes(metric));
  const traded = estimated.find(({ metric }) => isFidelity(metric)) ?? estimated[0];
  return traded ? [objectives[0], traded.metric] : objectives.slice(0, 1);
}

/**
 * Positions that no other one dominates among those that take part, by rising x. Equal points all stay.
 *
 * @param {(number | null)[]} x
 * @param {(number | null)[]} y
 * @param {(position: number) => boolean} takesPart
 * @returns {number[]}
 */
export function nonDominated(x, y, takesPart) {
  const order = [];
  for (let i = 0; i < x.length; i++) if (x[i] !== null && y[i] !== null && takesPart(i)) order.push(i);
  order.sort((a, b) => Number(x[a]) - Number(x[b]) || Number(y[a]) - Number(y[b]) || a - b);
  const front = [];
  let last = -1;
  for (const i of order) {
    if (last < 0 || Number(y[i]) < Number(y[last]) || (y[i] === y[last] && x[i] === x[last])) {
      front.push(i);
      last = i;
    }
  }
  return front;
}

/**
 * Position of the feasible trial of least first objective; of the least violating one when none is feasible.
 *
 * @param {Points} points
 * @param {Float64Array} violation
 * @param {string[]} axes
 * @returns {number} -1 when nothing was measured.
 */
export function bestOf(points, violation, axes) {
  let best = -1;
  for (let i = 0; i < violation.length; i++) {
    if (!Number.isNaN(violation[i]) && (best < 0 || precedes(points, violation, axes, i, best))) best = i;
  }
  return best;
}

/**
 * Positions of measured trials, least violating first: what to look at while nothing is feasible.
 *
 * @param {Points} points @param {Float64Array} violation @param {string[]} axes @param {number} most
 * @returns {number[]}
 */
export function nearestMisses(points, violation, axes, most) {
  const measured = [];
  for (let i = 0; i < violation.length; i++) if (violation[i] < Infinity) measured.push(i);
  return measured.sort((a, b) => (precedes(points, violation, axes, a, b) ? -1 : 1)).slice(0, most);
}

/**
 * @param {Points} points
 * @param {Float64Array} violation
 * @param {string[]} axes
 * @param {number} a
 * @param {number} b
 */
function precedes(points, violation, axes, a, b) {
  if (violation[a] !== violation[b]) return violation[a] < violation[b];
  for (const axis of axes) {
    const [left, right] = [a, b].map((i) => points.metrics[axis]?.mean[i] ?? Infinity);
    if (left !== right) return left < right;
  }
  return points.number[a] < points.number[b];
}

/**
 * By how much one trial exceeds each bound, in the metric's own unit; bounds it respects are left out.
 *
 * @param {Points} points @param {Bound[]} bounds @param {number} position
 * @returns {{metric: string, amount: number | null, unit: string}[]} `amount` is null where unmeasured.
 */
export function violatedBy(points, bounds, position) {
  return bounds.flatMap(({ metric, at_most: atMost }) => {
    const column = points.metrics[metric];
    const mean = column?.mean[position] ?? null;
    if (mean !== null && mean <= atMost) return [];
    return [{ metric, amount: mean === null ? null : mean - atMost, unit: column?.unit ?? "1" }];
  });
}

/** @param {Points} points @param {number} position */
function isMeasured(points, position) {
  if (points.status[position] !== "completed" || isStopped(points, position)) return false;
  return Object.values(points.metrics).some((column) => column.mean[position] !== null);
}

/** @param {Points} points @param {number} position */
function isStopped(points, position) {
  return points.status[position] === "completed" && points.share[position] < 1;
}
