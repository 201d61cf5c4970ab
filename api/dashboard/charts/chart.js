/**
 * One ECharts canvas. The library is loaded when the first chart is; what is drawn follows `option`, and a zoom
 * survives every update that leaves the axes what they are.
 */

import { html, useEffect, useRef, useState } from "../vendor/preact-standalone.mjs";
import { loadCharts } from "./library.js";

/**
 * @param {object} props
 * @param {any} props.option What to draw; drawn when it changes.
 * @param {string} props.label What it shows, for those who do not see it.
 * @param {string} props.name Class of the box.
 * @param {string} [props.axes] What the axes measure, and how; a zoom ends when it changes.
 * @param {(chart: any) => void} [props.onReady] Hears of the chart once, when it is drawn, to listen to it.
 * @param {(chart: any) => void} [props.onDrawn] Called whenever positions on the canvas may have moved.
 * @param {any} [props.children] What lies above the canvas.
 */
export function Chart({ option, label, name, axes, onReady, onDrawn, children }) {
  const box = useRef(/** @type {any} */ (null));
  const [chart, setChart] = useState(/** @type {any} */ (null));
  const drawn = useRef(onDrawn);
  drawn.current = onDrawn;
  const before = useRef(axes);
  const zoomed = useRef(false);
  const ready = useRef(false);

  useEffect(() => {
    let made;
    let gone = false;
    const sized = new ResizeObserver(([{ contentRect }]) => {
      // An observer speaks up at once, and drawing all again costs as much as drawing it.
      if (contentRect.width === made.getWidth() && contentRect.height === made.getHeight()) return;
      made.resize();
      drawn.current?.(made);
    });
    loadCharts().then((echarts) => {
      if (gone) return;
      made = echarts.init(box.current, null, { renderer: "canvas" });
      made.on("datazoom", () => {
        zoomed.current = true;
        drawn.current?.(made);
      });
      sized.observe(box.current);
      setChart(made);
    });
    return () => {
      gone = true;
      sized.disconnect();
      made?.dispose();
    };
  }, []);
  useEffect(() => {
    if (!chart) return;
    const same = before.current === axes;
    before.current = axes;
    // Asking a chart for its zoom copies all it shows, thousands of points: only when there is one.
    chart.setOption(same && zoomed.current ? keepingZoom(chart, option) : unzoomed(option), { replaceMerge: ["series"] });
    zoomed.current &&= same;
    if (!ready.current) onReady?.(chart);
    ready.current = true;
    drawn.current?.(chart);
  }, [chart, option]);
  return html`
    <div class="chart ${name}">
      <div class="canvas" ref=${box} role="img" aria-label=${label} />
      ${children}
    </div>
  `;
}

/**
 * New data move an axis' ends: a zoom is kept by the values it shows, not by its share of the axis.
 *
 * @param {any} chart
 * @param {any} option
 */
function keepingZoom(chart, option) {
  const present = chart.getOption()?.dataZoom ?? [];
  if (!option.dataZoom) return option;
  const dataZoom = option.dataZoom.map((zoom, i) => {
    const { start = 0, end = 100, startValue, endValue } = present[i] ?? {};
    return start > 0 || end < 100 ? { ...zoom, startValue, endValue } : zoom;
  });
  return { ...option, dataZoom };
}

/** @param {any} option */
function unzoomed(option) {
  return { ...option, dataZoom: option.dataZoom?.map((zoom) => ({ ...zoom, start: 0, end: 100 })) };
}

/** Room around the plot, the same for every chart so that lines above the canvas know where to lie. */
export const GRID = { left: 70, right: 18, top: 14, bottom: 46 };

/**
 * @param {string} name
 * @param {Record<string, string>} colours
 * @param {(value: number) => string} format
 * @returns {any}
 */
export function valueAxis(name, colours, format) {
  return {
    type: "value",
    scale: true,
    name,
    nameLocation: "middle",
    nameTextStyle: { color: colours.muted, fontSize: 12 },
    axisLabel: { color: colours.muted, fontSize: 11, formatter: format, hideOverlap: true },
    axisLine: { show: true, lineStyle: { color: colours["line-strong"] } },
    axisTick: { show: true, lineStyle: { color: colours["line-strong"] } },
    splitLine: { lineStyle: { color: colours.line } },
  };
}
