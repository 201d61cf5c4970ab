/** How far the block library is, and what it took. */

import { duration, number } from "../format.js";
import { Progress } from "../parts/status.js";
import { html } from "../vendor/preact-standalone.mjs";

/** @param {any} props */
export function LibraryPanel({ model }) {
  const { library } = model;
  if (!library) return null;
  const done = library.entries.filter((entry) => entry.state === "done");
  const seconds = done.reduce((sum, entry) => sum + (entry.seconds ?? 0), 0);
  const worst = [...done].sort((a, b) => (b.block_loss ?? 0) - (a.block_loss ?? 0)).slice(0, 5);
  return html`
    <section class="panel" aria-labelledby="library-title">
      <header>
        <h2 id="library-title">Block library</h2>
        <span class="muted small">${library.done} of ${library.total} blocks distilled</span>
      </header>
      <div class="body stack">
        <${Progress} done=${library.done} total=${library.total} label="Blocks distilled" />
        ${
          seconds > 0 &&
          html`
            <p class="small muted">${duration(seconds)} of training in all</p>
          `
        }
        ${
          worst.length > 0 &&
          html`
            <table class="compact">
              <caption class="small muted">Hardest to imitate</caption>
              <thead>
                <tr>
                  <th scope="col">Stage</th>
                  <th scope="col">Block</th>
                  <th scope="col" class="number">Block loss</th>
                  <th scope="col" class="number">Training</th>
                </tr>
              </thead>
              <tbody>
                ${worst.map(
                  (entry) => html`
                    <tr key=${entry.stage + entry.variant}>
                      <td>${entry.stage}</td>
                      <td>${entry.variant}</td>
                      <td class="number">${number(entry.block_loss)}</td>
                      <td class="number">${duration(entry.seconds)}</td>
                    </tr>
                  `,
                )}
              </tbody>
            </table>
          `
        }
      </div>
    </section>
  `;
}
