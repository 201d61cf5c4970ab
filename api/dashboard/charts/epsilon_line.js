/**
 * A bound on the plot: a line that is dragged, or moved with the arrow keys. It lies above the canvas as an
 * element of its own, so it has a focus, a name and a value, and moving it draws nothing anew by itself.
 */

import { metricLabel, quantity } from "../format.js";
import { html, useRef } from "../vendor/preact-standalone.mjs";
import { GRID } from "./chart.js";

/** A key press moves by this share of what is visible, which is a factor on a log axis; with Shift by ten of them. */
const STEP = 0.005;

/**
 * @param {object} props
 * @param {any} props.chart
 * @param {"x" | "y"} props.axis
 * @param {import("./scale.js").Scale} props.scale
 * @param {string} props.metric
 * @param {string} props.unit
 * @param {number} props.value
 * @param {boolean} props.moved Whether it differs from the saved bound.
 * @param {(value: number) => void} props.onMove
 */
export function EpsilonLine({ chart, axis, scale, metric, unit, value, moved, onMove }) {
  const line = useRef(/** @type {any} */ (null));
  const finder = axis === "y" ? { yAxisIndex: 0 } : { xAxisIndex: 0 };
  const size = axis === "y" ? chart.getHeight() - GRID.bottom : chart.getWidth() - GRID.right;
  const first = axis === "y" ? GRID.top : GRID.left;
  const ends = [first, size].map((pixel) => chart.convertFromPixel(finder, pixel));
  const visible = Math.abs(ends[1] - ends[0]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)].map(scale.value);
  const pixel = Math.min(size, Math.max(first, chart.convertToPixel(finder, scale.place(value))));
  const beyond = value > high ? "above what is shown" : value < low ? "below what is shown" : "";

  const drag = (event) => {
    if (!line.current.hasPointerCapture(event.pointerId)) return;
    const box = line.current.parentElement.getBoundingClientRect();
    const at = axis === "y" ? event.clientY - box.top : event.clientX - box.left;
    onMove(positive(scale.value(chart.convertFromPixel(finder, Math.min(size, Math.max(first, at))))));
  };
  const press = (event) => {
    const direction = { ArrowUp: 1, ArrowRight: 1, PageUp: 10, ArrowDown: -1, ArrowLeft: -1, PageDown: -10 }[
      event.key
    ];
    if (!direction) return;
    event.preventDefault();
    onMove(positive(scale.value(scale.place(value) + direction * STEP * (event.shiftKey ? 10 : 1) * visible)));
  };
  const style =
    axis === "y"
      ? { top: `${pixel}px`, left: `${GRID.left}px`, right: `${GRID.right}px` }
      : { left: `${pixel}px`, top: `${GRID.top}px`, bottom: `${GRID.bottom}px` };
  return html`
    <div
      ref=${line}
      class="epsilon ${axis} ${moved ? "moved" : ""}"
      style=${style}
      role="slider"
      tabindex="0"
      aria-label="Bound on ${metricLabel(metric)}"
      aria-orientation=${axis === "y" ? "vertical" : "horizontal"}
      aria-valuemin=${low}
      aria-valuemax=${high}
      aria-valuenow=${value}
      aria-valuetext="at most ${quantity(value, unit)}"
      onPointerDown=${(event) => {
        line.current.setPointerCapture(event.pointerId);
        event.preventDefault();
        line.current.focus();
      }}
      onPointerMove=${drag}
      onKeyDown=${press}
    >
      <span class="tag">
        ${metricLabel(metric)}${" ≤ "}${quantity(value, unit)}${beyond && html`<em> ${beyond}</em>`}
      </span>
    </div>
  `;
}

/** Bounds are positive, and four digits are as many as anyone means. @param {number} value @returns {number} */
function positive(value) {
  return Number(Math.max(value, 1e-9).toPrecision(4));
}
