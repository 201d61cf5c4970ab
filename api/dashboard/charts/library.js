/** ECharts, a megabyte: read when the first chart is near, and once. */

/** @type {Promise<any> | null} */
let library = null;

/** Begin loading the library, so that it is here when data are. @returns {Promise<any>} */
export function loadCharts() {
  library ??= import("../vendor/echarts.esm.min.mjs");
  return library;
}
