/** Numbers, times and names as people read them. */

const UNITS = { parameters: "", GMAC: " GMAC", ms: " ms", 1: "" };
const LABELS = {
  params: "Parameters",
  gmacs: "GMACs",
  gmacs_without_attention_products: "GMACs, no attention",
  table_latency_ms: "Table latency",
  latency_ms: "Latency",
  noise_mse: "Noise MSE",
  noise_mse_relative: "Relative noise MSE",
  feature_distance: "Feature distance",
};

/** @param {string} metric @returns {string} */
export function metricLabel(metric) {
  const [, latency, device] = /^((?:table_)?latency_ms)_(.+)$/.exec(metric) ?? [];
  if (device) return `${LABELS[latency]}, ${device.replaceAll("_", "-")}`;
  return LABELS[metric] ?? metric.replaceAll("_", " ");
}

/** @param {number} share @returns {string} How many of the samples were seen, as in "12.5 %". */
export function seen(share) {
  return `${number(100 * share)} %`;
}

/** @param {number} share @returns {string} Where an evaluation ended, as in "stopped at 12.5 % of the samples". */
export function stoppedAt(share) {
  return `stopped at ${seen(share)} of the samples`;
}

/** @param {string} metric @returns {string} The label inside a sentence: "relative noise MSE", but "GMACs". */
export function metricName(metric) {
  const label = metricLabel(metric);
  return /^[A-Z][a-z]/.test(label) ? label[0].toLowerCase() + label.slice(1) : label;
}

/** @param {string} metric @param {string} unit @returns {string} The label with its unit, for axes. */
export function axisLabel(metric, unit) {
  return unit && unit !== "1" && unit !== "parameters" && unit !== "GMAC"
    ? `${metricLabel(metric)} (${unit})`
    : metricLabel(metric);
}

/**
 * Four significant digits, with a thousands suffix from 10,000 on.
 *
 * @param {number | null | undefined} value
 * @returns {string}
 */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)} G`;
  if (size >= 1e6) return `${trim(value / 1e6)} M`;
  if (size >= 1e4) return `${trim(value / 1e3)} k`;
  if (size !== 0 && size < 1e-3) return value.toExponential(2).replace("-", "−");
  return trim(value);
}

/** @param {number} value */
function trim(value) {
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

/** @param {number | null | undefined} share @returns {string} In per cent, to a tenth below ten: "9.9 %", "41 %". */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const rounded = Number((100 * share).toFixed(Math.abs(share) < 0.1 ? 1 : 0));
  return `${number(rounded === 0 ? 0 : rounded)} %`;
}

/** @param {number | null | undefined} value @param {string} [unit] @returns {string} */
export function quantity(value, unit = "1") {
  return number(value) + (value === null || value === undefined ? "" : (UNITS[unit] ?? ` ${unit}`));
}

/** Two digits: an error known better is no error. @param {number} value @returns {string} */
function roughly(value) {
  return value < 1e-3 ? value.toExponential(1).replace("-", "−") : number(Number(value.toPrecision(2)));
}

/**
 * @param {{mean: number, sem: number, unit: string} | null | undefined} value
 * @returns {string} The mean with its 95 % interval.
 */
export function measurement(value) {
  if (!value) return "–";
  return value.sem > 0
    ? `${number(value.mean)} ± ${roughly(1.96 * value.sem)}${UNITS[value.unit] ?? ` ${value.unit}`}`
    : quantity(value.mean, value.unit);
}

/** @param {number | null | undefined} seconds @returns {string} */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${trim(Number(seconds.toFixed(1)))} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d`;
}

/** @param {number | null | undefined} at Unix seconds. @returns {string} */
export function ago(at) {
  return at ? `${duration(Math.max(0, Date.now() / 1000 - at))} ago` : "–";
}

/**
 * Written out, and in the order that no country reads differently: setting up the browser's own format takes longer
 * than drawing all that stands around it.
 *
 * @param {number | null | undefined} at Unix seconds. @returns {string} Local date and time.
 */
export function moment(at) {
  if (!at) return "–";
  const date = new Date(at * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(at)}`;
}

/** @param {number} at Unix seconds. @returns {string} The local time of day. */
export function timeOfDay(at) {
  const date = new Date(at * 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

/** @param {number} value @returns {string} */
function two(value) {
  return String(value).padStart(2, "0");
}

/** @param {number | null | undefined} bytes @returns {string} */
export function bytes(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  const power = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${trim(bytes / 1024 ** power)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** @param {Record<string, string>} architecture @returns {string} Stages that differ from the teacher. */
export function architectureText(architecture) {
  const changed = Object.entries(architecture).filter(([, variant]) => variant !== "teacher");
  return changed.length ? changed.map(([stage, variant]) => `${stage} ${variant}`).join(" · ") : "teacher";
}
