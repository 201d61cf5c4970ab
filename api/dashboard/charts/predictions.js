/** Predicted against measured, as ECharts reads it: every trial predicted without its own measurement. */

import { metricName, number } from "../format.js";
import { GRID, valueAxis } from "./chart.js";
import { symlog } from "./scale.js";

/** Room that the outermost points have, as a share of the logarithms they span. */
const MARGIN = 0.06;

/** @typedef {{trial: number, measured: number, predicted: number, low: number, high: number}} Prediction */

/** @param {Prediction} one @returns {boolean} Whether the measurement lies in the model's 95 % interval. */
export function isInside({ measured, low, high }) {
  return low <= measured && measured <= high;
}

/**
 * @param {Prediction[]} predictions
 * @param {string} metric
 * @param {Record<string, string>} colours
 */
export function predictionsOption(predictions, metric, colours) {
  const values = predictions.flatMap(({ measured, predicted }) => [measured, predicted]);
  const [least, most] = [Math.min(...values), Math.max(...values)].map(Math.log10);
  const room = MARGIN * Math.max(most - least, 0.1);
  const [min, max] = [least - room, most + room];
  const scale = symlog(Math.floor(min) - 1);
  const within = predictions.filter(isInside);
  const beyond = predictions.filter((one) => !isInside(one));
  const axis = (name, gap) => {
    const made = valueAxis(name, colours, scale.label);
    const axisLabel = { ...made.axisLabel, showMinLabel: false, showMaxLabel: false };
    return { ...made, axisLabel, nameGap: gap, min, max };
  };
  return {
    animation: false,
    grid: { ...GRID, outerBoundsMode: "none" },
    tooltip: {
      trigger: "item",
      renderMode: "richText", // drawn on the canvas: the security policy allows no inline styles
      confine: true,
      backgroundColor: colours.panel,
      borderColor: colours["line-strong"],
      textStyle: { color: colours.ink, fontSize: 12 },
      formatter: ({ data }) => predictionText(data.prediction),
    },
    xAxis: axis(`Measured ${metricName(metric)}`, 28),
    yAxis: axis("Predicted without it", 54),
    series: [
      {
        name: "Equal",
        type: "line",
        silent: true,
        showSymbol: false,
        data: [
          [min, min],
          [max, max],
        ],
        lineStyle: { color: colours.front, width: 1.2, type: "dashed" },
        z: 1,
      },
      intervals(predictions, colours),
      points("Inside its interval", within, { color: colours.feasible }, "circle", 7),
      points("Outside its interval", beyond, { color: colours.bound }, "diamond", 9),
    ],
  };
}

/** @param {Prediction} one @returns {string} */
function predictionText({ trial, measured, predicted, low, high }) {
  return `Trial ${trial}\nMeasured ${number(measured)}\nPredicted ${number(predicted)}\n95 % ${number(low)} to ${number(high)}`;
}

/** @param {string} name @param {Prediction[]} data @param {object} itemStyle @param {string} symbol @param {number} size */
function points(name, data, itemStyle, symbol, size) {
  return {
    name,
    type: "scatter",
    symbol,
    symbolSize: size,
    itemStyle,
    emphasis: { disabled: true },
    data: data.map((prediction) => ({
      value: [Math.log10(prediction.measured), Math.log10(prediction.predicted)],
      prediction,
    })),
    z: 3,
  };
}

/** @param {Prediction[]} predictions @param {Record<string, string>} colours */
function intervals(predictions, colours) {
  return {
    name: "95 % interval",
    type: "custom",
    clip: true,
    silent: true,
    data: predictions.map((one) => [one.measured, one.predicted, one.low, one.high].map(Math.log10)),
    encode: { x: 0, y: 1 },
    z: 2,
    renderItem: (_, api) => {
      const [x, low, high] = [api.value(0), api.value(2), api.value(3)];
      const [[x1, y1], [x2, y2]] = [api.coord([x, low]), api.coord([x, high])];
      const inside = low <= x && x <= high;
      return {
        type: "line",
        shape: { x1, y1, x2, y2 },
        style: { stroke: inside ? colours.feasible : colours.bound, lineWidth: 1, opacity: 0.45 },
      };
    },
  };
}
