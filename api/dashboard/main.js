/** Entry: set the theme, draw the page. */

import "./start.js"; // first, whichever of both was read first
import { applyTheme } from "./parts/theme.js";
import { consumeKeyInAddress } from "./session.js";
import { html, render } from "./vendor/preact-standalone.mjs";
import { Page } from "./views/page.js";

addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#key=")) return;
  consumeKeyInAddress();
  location.reload();
});
applyTheme();
const root = /** @type {Element} */ (document.getElementById("page"));
render(
  html`
    <${Page} />
  `,
  root,
);
