/** What each stage weighs, figure by figure, as ECharts reads it: grouped bars, pale where the cheapest variant saves. */

import { metricLabel, percent } from "../format.js";
import { GRID, valueAxis } from "./chart.js";

/** Colours of the figures in their order; each has a place of its own in the group, too. */
export const HUES = ["feasible", "best", "bound", "knee", "infeasible"];

/** @typedef {{stage: string, share: Record<string, number>, saves_at_most: Record<string, number>}} StageRow */

/** @param {number} place @returns {string} */
export function hue(place) {
  return HUES[Math.min(place, HUES.length - 1)];
}

/**
 * @param {StageRow[]} stages
 * @param {string[]} figures
 * @param {Record<string, string>} colours
 */
export function stageSharesOption(stages, figures, colours) {
  const axis = valueAxis("Share of the teacher", colours, percent);
  return {
    animation: false,
    grid: { ...GRID, bottom: 30, outerBoundsMode: "none" },
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow" },
      renderMode: "richText", // drawn on the canvas: the security policy allows no inline styles
      confine: true,
      backgroundColor: colours.panel,
      borderColor: colours["line-strong"],
      textStyle: { color: colours.ink, fontSize: 12 },
      formatter: ([{ dataIndex }]) => stageText(stages[dataIndex], figures),
    },
    xAxis: {
      type: "category",
      data: stages.map(({ stage }) => stage),
      axisLabel: { color: colours.muted, fontSize: 11, hideOverlap: true },
      axisLine: { lineStyle: { color: colours["line-strong"] } },
      axisTick: { show: false },
    },
    yAxis: { ...axis, nameGap: 48, scale: false, min: 0 },
    series: figures.flatMap((figure, place) => {
      const colour = colours[hue(place)];
      const saved = ({ saves_at_most }) => saves_at_most[figure] ?? 0;
      const bar = { type: "bar", stack: figure, emphasis: { disabled: true }, barMaxWidth: 18, barGap: "12%" };
      return [
        {
          ...bar,
          name: figure,
          data: stages.map((row) => (row.share[figure] ?? 0) - saved(row)),
          itemStyle: { color: colour, borderColor: colour, borderWidth: 1 },
        },
        {
          ...bar,
          name: `${figure} saved`,
          data: stages.map(saved),
          itemStyle: { color: faded(colour), borderColor: colour, borderWidth: 1 },
        },
      ];
    }),
  };
}

/** @param {string} colour `#rrggbb` @returns {string} */
function faded(colour) {
  return `${colour}38`;
}

/** @param {StageRow} row @param {string[]} figures @returns {string} */
function stageText({ stage, share, saves_at_most: saves }, figures) {
  const lines = figures.map(
    (one) => `${metricLabel(one)} ${percent(share[one])}, saves at most ${percent(saves[one])}`,
  );
  return [`Stage ${stage}`, ...lines].join("\n");
}
