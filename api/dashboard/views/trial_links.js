/** Numbers of trials that open the trial. */

import { linkTo } from "../router.js";
import { html, useState } from "../vendor/preact-standalone.mjs";

/** So many stand there at once; the others on demand. */
const SHOWN = 12;

/** @param {{id: string, query: Record<string, string>, trial: number, children?: any}} props */
export function TrialLink({ id, query, trial, children }) {
  return html`<a href=${linkTo(["searches", id], { ...query, trial: String(trial) })}>${children ?? trial}</a>`;
}

/** @param {{id: string, query: Record<string, string>, trials: number[], label: string}} props */
export function TrialLinks({ id, query, trials, label }) {
  const [all, setAll] = useState(false);
  const shown = all ? trials : trials.slice(0, SHOWN);
  const more = trials.length - SHOWN;
  return html`
    <span class="trial-links" role="group" aria-label=${label}>
      ${shown.map(
        (trial) => html`
          <${TrialLink} key=${trial} id=${id} query=${query} trial=${trial} />
        `,
      )}
      ${
        more > 0 &&
        html`
          <button class="quiet small" aria-expanded=${all} onClick=${() => setAll(!all)}>
            ${all ? "fewer" : `${more} more`}
          </button>
        `
      }
    </span>
  `;
}
