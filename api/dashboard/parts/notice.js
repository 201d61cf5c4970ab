/** What the page says when there is something to say instead of data: faults, waiting, nothing. */

import { Problem } from "../client.js";
import { html } from "../vendor/preact-standalone.mjs";

/** @param {{problem: Error | null | undefined, retry?: () => void}} props A refusal, with what to do about it. */
export function ProblemNotice({ problem, retry }) {
  if (!problem) return null;
  const { hint = "", faults = [] } = problem instanceof Problem ? problem : {};
  return html`
    <div class="notice bad" role="alert">
      <p><strong>${problem.message}</strong></p>
      ${
        hint &&
        html`
          <p>${hint}</p>
        `
      }
      ${
        faults.length > 0 &&
        html`
          <${FaultList} faults=${faults} />
        `
      }
      ${
        retry &&
        html`
          <p><button class="small" onClick=${retry}>Try again</button></p>
        `
      }
    </div>
  `;
}

/** @param {{faults: import("../client.js").Fault[]}} props */
export function FaultList({ faults }) {
  return html`
    <ul>
      ${faults.map(
        (fault) => html`
          <li key=${fault.pointer}>
            ${
              fault.pointer &&
              html`
                <code>${fault.pointer}</code>${" "}
              `
            }
            ${fault.reason}${fault.nearest && html`; nearest: <code>${fault.nearest}</code>`}
          </li>
        `,
      )}
    </ul>
  `;
}

/** @param {{title: string, children?: any}} props */
export function Empty({ title, children }) {
  return html`
    <div class="empty">
      <strong>${title}</strong>
      ${children}
    </div>
  `;
}

/** @param {{what?: string}} props */
export function Loading({ what = "Loading" }) {
  return html`
    <div class="empty" role="status">${what}…</div>
  `;
}
