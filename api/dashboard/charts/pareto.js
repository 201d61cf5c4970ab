/** The Pareto plot as ECharts reads it: trials by class, error bars, the front as a step line, best and knee. */

import { FEASIBLE, INFEASIBLE, SCREENED } from "../front.js";
import { axisLabel, number } from "../format.js";
import { GRID, valueAxis } from "./chart.js";

/** Above this many trials, error bars are drawn for the front, the best and the selection only. */
const MOST_ERROR_BARS = 400;
/** ECharts' fast path for many points: one colour per series and no symbols of their own. */
const LARGE = 3000;
const Z95 = 1.96;

/**
 * @param {object} given
 * @param {import("../trial_table.js").TrialTable} given.trials
 * @param {import("../analysis.js").Analysis} given.analysis
 * @param {[string, string]} given.shown
 * @param {Set<number> | null} given.selected Numbers; null when nothing is selected.
 * @param {number | null} given.knee Number of the trial.
 * @param {{y: [number, number] | null}} given.range What to show of the y axis; null for all.
 * @param {Record<string, string>} given.colours
 */
export function paretoOption({ trials, analysis, shown: [x, y], selected, knee, range, colours }) {
  const xs = trials.means(x);
  const ys = trials.means(y);
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
      ? trials.number.map((_, i) => i)
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
    xAxis: { ...valueAxis(axisLabel(x, trials.metrics[x]?.unit ?? ""), colours, number), nameGap: 28 },
    yAxis: [
      {
        ...valueAxis(axisLabel(y, trials.metrics[y]?.unit ?? ""), colours, number),
        nameGap: 54,
        min: range.y?.[0] ?? null,
        max: range.y?.[1] ?? null,
      },
      { type: "value", min: 0, max: 1, show: false },
    ],
    series: [
      scatter("Outside the bounds", ofClass(INFEASIBLE), { ...hollow, opacity: 0.75 * faint }, { symbolSize: 7 }),
      scatter("Within the bounds", ofClass(FEASIBLE), { color: colours.feasible, opacity: faint }, { symbolSize: 8 }),
      scatter(
        "Screened",
        screenedRug(trials, analysis, x),
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
      errorBars(barred, trials, x, y, colours, analysis),
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
function screenedRug(trials, analysis, x) {
  const xs = trials.means(x);
  const rows = [];
  for (let i = 0; i < trials.length; i++)
    if (analysis.classes[i] === SCREENED && xs[i] !== null) rows.push([xs[i], 0.985, trials.number[i]]);
  return rows;
}

/** 95 % intervals of the mean, along whichever axes have an error. */
function errorBars(positions, trials, x, y, colours, analysis) {
  const rows = positions.flatMap((i) => {
    const [across, along] = [trials.measurement(x, i), trials.measurement(y, i)];
    if (!across || !along || !(across.sem || along.sem)) return [];
    const feasible = analysis.classes[i] === FEASIBLE ? 1 : 0;
    return [[across.mean, along.mean, Z95 * across.sem, Z95 * along.sem, feasible]];
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
  const [x, y, dx, dy, feasible] = [0, 1, 2, 3, 4].map((d) => api.value(d));
  const line = ([x1, y1], [x2, y2]) => ({
    type: "line",
    shape: { x1, y1, x2, y2 },
    style: { stroke: feasible ? colours.feasible : colours.infeasible, lineWidth: 1, opacity: 0.6 },
  });
  const children = [];
  if (dy) children.push(line(api.coord([x, y - dy]), api.coord([x, y + dy])));
  if (dx) children.push(line(api.coord([x - dx, y]), api.coord([x + dx, y])));
  return { type: "group", children };
}
