/**
 * How values lie along an axis: evenly, or by powers of ten. Fidelity spans many of them and the teacher stands at
 * exactly zero, so the logarithm ends in a straight piece: the "symlog" of `blocksmith front --plot`, above zero.
 */

import { number } from "../format.js";
import { isFidelity } from "../front.js";

/**
 * @typedef {object} Scale
 * @property {"linear" | "log"} name
 * @property {(value: number) => number} place Where a value lies.
 * @property {(place: number) => number} value What lies there; undoes `place`.
 * @property {(place: number) => string} label Of a tick.
 */

/** Fidelity that spans more than this, two decades, is hard to see on an even axis. */
const WIDE = 100;

/** @type {Scale} */
export const LINEAR = { name: "linear", place: (value) => value, value: (place) => place, label: number };

/**
 * A value lies at its logarithm, whatever the decade, so that a zoom survives when smaller values come in.
 *
 * @param {number} decade Below ten to this power values lie evenly; zero lies one decade's length beneath it.
 * @returns {Scale}
 */
export function symlog(decade) {
  const threshold = 10 ** decade;
  const zero = decade - 1;
  const value = (place) => (place >= decade ? 10 ** place : (place - zero) * threshold);
  return {
    name: "log",
    place: (given) => (given >= threshold ? Math.log10(given) : zero + given / threshold),
    value,
    label: (place) =>
      place < 0 && place >= decade && Number.isInteger(place)
        ? `10⁻${[...String(-place)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("")}`
        : rough(value(place)),
  };
}

/** A tick between two decades, as one digit where that is true within a hundredth. @param {number} value */
function rough(value) {
  const one = Number(value.toPrecision(1));
  const shown = Math.abs(one - value) <= 0.01 * Math.abs(value) ? one : Number(value.toPrecision(2));
  return shown !== 0 && shown < 1e-3 ? shown.toExponential().replace("-", "−") : number(shown);
}

/**
 * The scale of an axis: the one asked for, or what suits the values.
 *
 * @param {string} metric
 * @param {(number | null)[]} values All that may be shown; null where nothing was measured.
 * @param {string} [wanted] `linear` or `log`; anything else leaves the choice open.
 * @returns {Scale}
 */
export function scaleFor(metric, values, wanted) {
  const [least, most] = ends(values.filter((value) => value !== null && value > 0));
  const suits = isFidelity(metric) && most / least > WIDE;
  if (wanted === "linear" || (wanted !== "log" && !suits)) return LINEAR;
  return symlog(Number.isFinite(least) ? Math.floor(Math.log10(least)) : 0);
}

/**
 * Places to show. By powers of ten everything fits, in whole decades and the bound with it. Evenly, three times the
 * bound unless all is asked for: the cheapest architectures are so far off that they would press the rest to the floor.
 *
 * @param {Scale} scale
 * @param {(number | null)[]} values
 * @param {number | undefined} bound The saved one: what is shown stays while a bound is dragged.
 * @param {boolean} everything
 * @returns {[number, number] | null} Null leaves it to the chart, which then shows every value.
 */
export function fittingRange(scale, values, bound, everything) {
  const [least, most] = ends(values);
  if (least > most) return null;
  if (scale.name === "log") {
    const [low, high] = ends([least, most, bound ?? most]).map(scale.place);
    return [Math.floor(low), Math.max(Math.floor(low) + 1, Math.ceil(high))];
  }
  if (bound === undefined || everything) return null;
  const top = 3 * bound;
  return most <= top || least >= top ? null : [Math.min(0, least), top];
}

/** @param {(number | null)[]} values @returns {[number, number]} Infinite and crossed when there are none. */
function ends(values) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return [least, most];
}
