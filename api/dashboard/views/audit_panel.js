/** Who wrote what. */

import { get } from "../client.js";
import { moment } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { html, useEffect, useState } from "../vendor/preact-standalone.mjs";

/** @param {{project: string}} props */
export function AuditPanel({ project }) {
  const [page, setPage] = useState(/** @type {{items: any[], next: string | null}} */ ({ items: [], next: null }));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const more = (cursor) =>
    get("/v1/audit", { project, cursor, limit: 50 }).then(
      (after) =>
        setPage((before) => ({ items: cursor ? [...before.items, ...after.items] : after.items, next: after.next })),
      setProblem,
    );
  useEffect(() => {
    more(undefined);
  }, []);
  return html`
    <section class="panel" aria-labelledby="audit-title">
      <header><h2 id="audit-title">Audit</h2></header>
      <${ProblemNotice} problem=${problem} />
      <div class="scroll short" tabindex="0">
        <table>
          <caption class="hidden-text">Writes, newest first</caption>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Key</th>
              <th scope="col">Action</th>
              <th scope="col">Subject</th>
              <th scope="col">Detail</th>
            </tr>
          </thead>
          <tbody>
            ${page.items.map(
              (line) => html`
                <tr key=${line.id}>
                  <td class="nowrap">${moment(line.at)}</td>
                  <td class="mono">${line.key}</td>
                  <td>${line.action}</td>
                  <td class="mono">${line.subject}</td>
                  <td class="small">${line.detail}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
        ${page.items.length === 0 && html`<p class="body muted">Nothing was written yet.</p>`}
      </div>
      ${
        page.next &&
        html`
          <div class="body"><button class="small" onClick=${() => more(page.next)}>Load more</button></div>
        `
      }
    </section>
  `;
}
