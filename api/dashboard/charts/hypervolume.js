/** Hypervolume over trials, as ECharts reads it. */

import { number } from "../format.js";
import { GRID, valueAxis } from "./chart.js";

/** @param {{points: {trials: number, hypervolume: number}[]}} history @param {Record<string, string>} colours */
export function hypervolumeOption({ points }, colours) {
  return {
    animation: false,
    grid: { ...GRID, outerBoundsMode: "none" },
    xAxis: { ...valueAxis("Trials", colours, number), nameGap: 28, scale: false, minInterval: 1 },
    yAxis: { ...valueAxis("Hypervolume", colours, number), nameGap: 54, scale: false },
    series: [
      {
        type: "line",
        step: "end",
        showSymbol: false,
        silent: true,
        data: points.map(({ trials, hypervolume }) => [trials, hypervolume]),
        lineStyle: { color: colours.feasible, width: 1.8 },
        itemStyle: { color: colours.feasible },
        areaStyle: { color: colours.feasible, opacity: 0.1 },
      },
    ],
  };
}
