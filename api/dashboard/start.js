/** Asks for what the address shows while the rest of the page is still being read. */

import { loadCharts } from "./charts/library.js";
import { askAhead, MOST_POINTS } from "./client.js";
import { here } from "./router.js";
import { consumeKeyInAddress, currentKey } from "./session.js";

/** When other pages have settled: a megabyte that only searches need, and the next page is likely one. */
const CHARTS_AFTER_MS = 2000;

consumeKeyInAddress();
if (currentKey()) {
  const [place, id] = here().path;
  if (place === "searches" && id) {
    const search = `/v1/searches/${id}`;
    askAhead(`${search}/points`, { limit: MOST_POINTS }); // first: everything waits for it
    askAhead("/v1/me");
    askAhead(search);
    askAhead(`${search}/bounds`);
    askAhead(`${search}/front`);
    loadCharts();
  } else {
    askAhead("/v1/me");
    setTimeout(loadCharts, CHARTS_AFTER_MS);
  }
}
