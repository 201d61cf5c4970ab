/** What hardware makes of a search: whether costs and latencies agree, what stages weigh, and where params mislead. */

import { metricLabel, percent } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { html, useRef, useState } from "../vendor/preact-standalone.mjs";
import { AgreementMatrix } from "./agreement_matrix.js";
import { FrontDisagreement } from "./front_disagreement.js";
import { StageShares } from "./stage_shares.js";
import { TrialLink } from "./trial_links.js";
import { useFetched } from "./use_fetched.js";
import { usePaced, useSeen } from "./use_seen.js";

/** @param {any} props */
export function HardwarePanel({ model, query }) {
  const box = useRef(/** @type {any} */ (null));
  const seen = useSeen(box, model.complete);
  const round = usePaced(model.search.last_event);
  const { value, problem, reload } = useFetched(seen && `/v1/searches/${model.id}/hardware`, {}, [round]);
  const [asTable, setAsTable] = useState(false);
  return html`
    <section class="panel hardware" aria-labelledby="hardware-title" aria-busy=${!value && !problem} ref=${box}>
      <header>
        <h2 id="hardware-title">Hardware</h2>
        <span class="small muted">
          ${value?.complete ? devicesText(value.devices) : "Whether costs and latencies agree"}
        </span>
        ${
          value?.complete &&
          html`
            <div class="end">
              <button class="small" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>
            </div>
          `
        }
      </header>
      <div class="body stack">
        <${ProblemNotice} problem=${problem} retry=${reload} />
        ${
          !value &&
          !problem &&
          html`
            <p class="muted" role="status">Comparing costs and latencies…</p>
          `
        }
        ${
          value &&
          !value.complete &&
          html`
            <p class="notice">
              The block library is not complete yet. Costs and latencies are compared when every block is distilled, and
              timed on every device of the search.
            </p>
          `
        }
        ${
          value?.complete &&
          html`
            <${DeviceNote} devices=${value.devices} />
            <div class="hardware-parts">
              <${AgreementMatrix}
                agreement=${value.agreement}
                architectures=${value.architectures}
                asTable=${asTable}
              />
              <${StageShares} stages=${value.stages} asTable=${asTable} />
              <${FrontDisagreement} id=${model.id} query=${query} fronts=${value.fronts} />
              ${
                value.devices.length > 0 &&
                html`
                  <div class="stack">
                    <${AdditivityTable} additivity=${value.additivity} devices=${value.devices} />
                    <${CounterExamples} id=${model.id} query=${query} examples=${value.counter_examples} />
                  </div>
                `
              }
            </div>
          `
        }
      </div>
    </section>
  `;
}

/** @param {any[]} devices @returns {string} */
function devicesText(devices) {
  return devices.length
    ? devices.map(({ device, kind }) => (kind === "measured" ? device : `${device} (${kind})`)).join(", ")
    : "no device";
}

/** What the labels leave out. @param {{devices: any[]}} props */
function DeviceNote({ devices }) {
  if (!devices.length)
    return html`
      <p class="notice">
        This search has no device: parameters and GMACs are compared with each other. With <code>latency</code> in its
        spec, a search compares them with milliseconds.
      </p>
    `;
  return (
    devices.length > 1 &&
    html`
      <p class="small muted">
        ${metricLabel("table_latency_ms")} without a name is that of ${devices[0].device}, the first device.
      </p>
    `
  );
}

/** @param {{additivity: any[], devices: any[]}} props */
function AdditivityTable({ additivity, devices }) {
  const found = new Map(additivity.map((one) => [one.device, one]));
  return html`
    <h3>Table latency against assembled networks</h3>
    <div class="scroll" tabindex="0">
      <table class="compact additivity">
        <caption class="hidden-text">How far the sum of blocks is from assembled networks, device by device</caption>
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Kind</th>
            <th scope="col" class="number">Networks</th>
            <th scope="col" class="number">Bias</th>
            <th scope="col" class="number">Mean error</th>
            <th scope="col" class="number">Worst</th>
            <th scope="col" class="number">Corrected</th>
            <th scope="col" class="number">Kendall tau</th>
          </tr>
        </thead>
        <tbody>
          ${devices.map(({ device, kind, networks }) => {
            const one = found.get(device);
            return html`
              <tr key=${device}>
                <th scope="row">${device}</th>
                <td>${kind}</td>
                <td class="number">${networks}</td>
                <td class="number">${percent(one?.bias)}</td>
                <td class="number">${percent(one?.mean_error)}</td>
                <td class="number">${percent(one?.worst_error)}</td>
                <td class="number">${percent(one?.corrected_error)}</td>
                <td class="number">${one?.kendall_tau?.toFixed(2).replace("-", "−") ?? "–"}</td>
              </tr>
            `;
          })}
        </tbody>
      </table>
    </div>
    <p class="small muted">
      ${
        additivity.length
          ? "Relative to what was measured; corrected by a factor and a slope learned from the other networks."
          : "Too few assembled networks have been measured to tell."
      }
    </p>
  `;
}

/** @param {{id: string, query: Record<string, string>, examples: any[]}} props */
function CounterExamples({ id, query, examples }) {
  return html`
    <h3>Where less is slower</h3>
    ${
      examples.length
        ? html`
            <ul class="examples">
              ${examples.map(
                (one) => html`
                  <li key=${`${one.device} ${one.figure}`}>${linked(id, query, one)}</li>
                `,
              )}
            </ul>
          `
        : html`
            <p class="small muted">No trial with less is slower: here, counting is as good as timing.</p>
          `
    }
  `;
}

/**
 * The server's sentence, in which both trials can be opened.
 *
 * @param {string} id
 * @param {Record<string, string>} query
 * @param {{words: string, cheaper: number, dearer: number}} example
 */
function linked(id, query, { words, cheaper, dearer }) {
  return words.split(/\b(trial \d+)\b/i).map((part) => {
    const trial = Number(/^trial (\d+)$/i.exec(part)?.[1] ?? NaN);
    return trial === cheaper || trial === dearer
      ? html`<${TrialLink} id=${id} query=${query} trial=${trial}>${part}</${TrialLink}>`
      : part;
  });
}
