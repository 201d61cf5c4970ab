/** The Pareto plot as ECharts reads it: trials by class, error bars, the front as a step line, best and knee. */

import { FEASIBLE, INFEASIBLE, SCREENED, STOPPED } from "../front.js";
import { axisLabel } from "../format.js";
import { GRID, valueAxis } from "./chart.js";

/** @typedef {import("./scale.js").Scale} Scale */

/** Above this many trials, error bars are drawn for the front, the best and the selection only. */
const MOST_ERROR_BARS = 400;
/** ECharts' fast path for many points: one colour per series and no symbols of their own. */
const LARGE = 1000;
const Z95 = 1.96;

/**
 * @param {object} given
 * @param {import("../trial_table.js").TrialTable} given.trials
 * @param {import("../analysis.js").Analysis} given.analysis
 * @param {[string, string]} given.shown
 * @param {Scale[]} given.scales Of x and y.
 * @param {Set<number> | null} given.selected Numbers; null when nothing is selected.
 * @param {number | null} given.knee Number of the trial.
 * @param {([number, number] | null)[]} given.ranges Places to show of either axis; null for all.
 * @param {Record<string, string>} given.colours
 */
export function paretoOption({ trials, analysis, shown, scales, selected, knee, ranges, colours }) {
  const [xs, ys] = shown.map((metric, axis) => placed(trials.means(metric), scales[axis]));
  const at = (i) => [xs[i], ys[i], trials.number[i]];
  const ofClass = (wanted) => {
    const rows = [];
    for (let i = 0; i < trials.length; i++)
      if (analysis.classes[i] === wanted && xs[i] !== null && ys[i] !== null) rows.push(at(i));
    return rows;
  };
  const chosen = selected
    ? [...selected].map((n) => trials.position(n)).filter((i) => i >= 0 && xs[i] !== null && ys[i] !== null)
    : [];
  const faint = selected ? 0.22 : 1;
  const barred =
    trials.length <= MOST_ERROR_BARS && !selected
      ? trials.number.map((_, i) => i).filter((i) => analysis.classes[i] !== STOPPED) // their place is rough anyway
      : [...new Set([...(selected ? [] : analysis.front), ...chosen.slice(0, MOST_ERROR_BARS), analysis.best])];
  const hollow = { color: "transparent", borderColor: colours.infeasible, borderWidth: 1.3 };
  const markOf = (i) => (analysis.classes[i] === FEASIBLE ? { color: colours.feasible } : hollow);
  const markers = [
    ...(analysis.best >= 0 && xs[analysis.best] !== null && ys[analysis.best] !== null
      ? [marker(at(analysis.best), STAR, 18, colours.best, colours.panel)]
      : []),
    ...(knee !== null && trials.position(knee) >= 0
      ? [marker(at(trials.position(knee)), "diamond", 13, colours.knee, colours.panel)]
      : []),
  ];
  return {
    animation: false,
    grid: { ...GRID, outerBoundsMode: "none" },
    // Without a start and an end of their own, so that an update leaves the zoom alone.
    dataZoom: [{ xAxisIndex: 0 }, { yAxisIndex: 0 }].map((axis) => ({
      ...axis,
      type: "inside",
      filterMode: "none",
      zoomOnMouseWheel: "ctrl",
    })),
    xAxis: { ...metricAxis(shown[0], trials, scales[0], ranges[0], colours), nameGap: 28 },
    yAxis: [
      { ...metricAxis(shown[1], trials, scales[1], ranges[1], colours), nameGap: 54 },
      { type: "value", min: 0, max: 1, show: false },
    ],
    series: [
      scatter("Outside the bounds", ofClass(INFEASIBLE), { ...hollow, opacity: 0.75 * faint }, { symbolSize: 7 }),
      scatter("Stopped early", ofClass(STOPPED), { ...hollow, opacity: 0.4 * faint }, { symbolSize: 5 }),
      scatter("Within the bounds", ofClass(FEASIBLE), { color: colours.feasible, opacity: faint }, { symbolSize: 8 }),
      scatter(
        "Screened",
        screenedRug(trials, analysis, xs),
        { color: "transparent", borderColor: colours.infeasible, borderWidth: 1, opacity: 0.7 * faint },
        { yAxisIndex: 1, symbol: "triangle", symbolSize: 6, symbolRotate: 180 },
      ),
      {
        name: "Front",
        type: "line",
        step: "end",
        silent: true,
        showSymbol: false,
        data: analysis.front.map(at),
        z: 2,
        lineStyle: { color: colours.front, width: 1.4, opacity: selected ? 0.5 : 1 },
        itemStyle: { color: colours.front },
      },
      errorBars(barred, trials, shown, scales, colours, analysis),
      {
        ...scatter(
          "Selected",
          chosen.map((i) => ({ value: at(i), itemStyle: markOf(i) })),
          {},
          { symbolSize: 10 },
        ),
        large: false,
        z: 5,
      },
      { ...scatter("Best and knee", markers, {}, {}), large: false, z: 6 },
    ],
  };
}

/** @param {(number | null)[]} values @param {Scale} scale */
function placed(values, { place }) {
  return values.map((value) => (value === null ? null : place(value)));
}

/**
 * @param {string} metric @param {import("../trial_table.js").TrialTable} trials @param {Scale} scale
 * @param {[number, number] | null} range @param {Record<string, string>} colours
 */
function metricAxis(metric, trials, scale, range, colours) {
  const [min, max] = range ?? [null, null];
  // One tick for each power of ten, as long as they are several; the chart's own choice once zoomed.
  const decades = scale.name === "log" && range ? Math.max(4, range[1] - range[0]) : 5;
  const axis = valueAxis(axisLabel(metric, trials.metrics[metric]?.unit ?? ""), colours, scale.label);
  return { ...axis, min, max, splitNumber: decades };
}

const STAR = "path://M8 0.8 10.2 5.6 15.4 6.2 11.5 9.7 12.6 14.9 8 12.3 3.4 14.9 4.5 9.7 0.6 6.2 5.8 5.6Z";

/** @param {any[]} value @param {string} symbol @param {number} size @param {string} fill @param {string} edge */
function marker(value, symbol, size, fill, edge) {
  return { value, symbol, symbolSize: size, itemStyle: { color: fill, borderColor: edge, borderWidth: 1.5 } };
}

/** @param {string} name @param {any[]} data @param {object} itemStyle @param {object} more */
function scatter(name, data, itemStyle, more) {
  return {
    name,
    type: "scatter",
    data,
    itemStyle,
    large: data.length > LARGE,
    largeThreshold: LARGE,
    emphasis: { disabled: true },
    cursor: "pointer",
    z: 3,
    ...more,
  };
}

/** Screened trials have a cost but no fidelity: marks along the upper edge. */
function screenedRug(trials, analysis, xs) {
  const rows = [];
  for (let i = 0; i < trials.length; i++)
    if (analysis.classes[i] === SCREENED && xs[i] !== null) rows.push([xs[i], 0.985, trials.number[i]]);
  return rows;
}

/** 95 % intervals of the mean, along whichever axes have an error. */
function errorBars(positions, trials, shown, scales, colours, analysis) {
  const rows = positions.flatMap((i) => {
    const measured = shown.map((metric) => trials.measurement(metric, i));
    if (measured.includes(null) || !measured.some(({ sem }) => sem)) return [];
    // Mean and both ends: on a logarithmic axis the mean is not in the middle.
    const [across, along] = measured.map(({ mean, sem }, axis) =>
      [mean, mean - Z95 * sem, mean + Z95 * sem].map(scales[axis].place),
    );
    return [[across[0], along[0], ...across.slice(1), ...along.slice(1), analysis.classes[i] === FEASIBLE ? 1 : 0]];
  });
  return {
    name: "95 % interval",
    type: "custom",
    clip: true,
    silent: true,
    data: rows,
    z: 1,
    encode: { x: 0, y: 1 },
    renderItem: (_, api) => cross(api, colours),
  };
}

/** @param {any} api @param {Record<string, string>} colours */
function cross(api, colours) {
  const [x, y, left, right, low, high, feasible] = [0, 1, 2, 3, 4, 5, 6].map((d) => api.value(d));
  const line = ([x1, y1], [x2, y2]) => ({
    type: "line",
    shape: { x1, y1, x2, y2 },
    style: { stroke: feasible ? colours.feasible : colours.infeasible, lineWidth: 1, opacity: 0.6 },
  });
  const children = [];
  if (low < high) children.push(line(api.coord([x, low]), api.coord([x, high])));
  if (left < right) children.push(line(api.coord([left, y]), api.coord([right, y])));
  return { type: "group", children };
}
