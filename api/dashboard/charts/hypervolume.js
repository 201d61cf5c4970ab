/** Hypervolume over trials, as ECharts reads it: the share of the reference box that the front dominates. */

import { number } from "../format.js";
import { GRID, valueAxis } from "./chart.js";

/**
 * The box reaches from zero to the reference point, so the share is free of units and at most one.
 *
 * @param {{reference: number[] | null, points: {trials: number, hypervolume: number}[]}} history
 * @returns {{trials: number, hypervolume: number, share: number}[]}
 */
export function shares({ reference, points }) {
  const box = (reference ?? []).reduce((product, side) => product * side, 1);
  return points.map((point) => ({ ...point, share: point.hypervolume / box }));
}

/** @param {{trials: number, hypervolume: number, share: number}[]} grown @param {Record<string, string>} colours */
export function hypervolumeOption(grown, colours) {
  return {
    animation: false,
    grid: { ...GRID, outerBoundsMode: "none" },
    tooltip: {
      trigger: "axis",
      renderMode: "richText", // drawn on the canvas: the security policy allows no inline styles
      confine: true,
      backgroundColor: colours.panel,
      borderColor: colours["line-strong"],
      textStyle: { color: colours.ink, fontSize: 12 },
      formatter: ([{ dataIndex }]) => shareText(grown[dataIndex]),
    },
    xAxis: { ...valueAxis("Trials", colours, number), nameGap: 28, scale: false, minInterval: 1 },
    yAxis: { ...valueAxis("Share of the reference box", colours, number), nameGap: 40, min: 0, max: 1 },
    series: [
      {
        type: "line",
        step: "end",
        showSymbol: false,
        silent: true,
        data: grown.map(({ trials, share }) => [trials, share]),
        lineStyle: { color: colours.feasible, width: 1.8 },
        itemStyle: { color: colours.feasible },
        areaStyle: { color: colours.feasible, opacity: 0.1 },
      },
    ],
  };
}

/** @param {{trials: number, hypervolume: number, share: number}} point */
function shareText({ trials, hypervolume, share }) {
  return `After ${trials} trials\nShare ${number(share)}\nHypervolume ${number(hypervolume)}`;
}
