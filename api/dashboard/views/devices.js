/** The devices: which can be timed now, who offers them, and whether they still are what they were on arrival. */

import { ago, moment, percent, quantity } from "../format.js";
import { Empty, Loading, ProblemNotice } from "../parts/notice.js";
import { html, useEffect, useState } from "../vendor/preact-standalone.mjs";
import { useFetched } from "./use_fetched.js";

/** Coordinators write down what they see every other second; looking costs a request. */
const PACE_MS = 10_000;

const STATES = {
  quarantined: { tone: "bad", mark: "!" },
  busy: { tone: "active", mark: "▶" },
  available: { tone: "good", mark: "✓" },
  absent: { tone: "", mark: "–" },
};
const ORDER = Object.keys(STATES);

export function Devices() {
  const { value, problem, reload } = useFetched("/v1/devices", {}, [useTicks()]);
  const items = [...(value?.items ?? [])].sort(mostTellingFirst);
  const offered = items.some(({ state }) => state !== "absent");
  return html`
    <div class="stack">
      <div class="bar">
        <h1>Devices</h1>
        ${
          value &&
          html`
            <span class="muted small">${summary(items)}</span>
          `
        }
        <div class="end"><button class="small" onClick=${reload}>Refresh</button></div>
      </div>
      <${ProblemNotice} problem=${problem} retry=${reload} />
      ${
        !value &&
        !problem &&
        html`
          <${Loading} />
        `
      }
      ${value && !offered && html`<div class="panel"><${NoDevice} /></div>`}
      ${
        items.length > 0 &&
        html`
          <${DeviceTable} items=${items} />
        `
      }
      ${offered && html`<p class="small muted"><${HowToOffer} /></p>`}
    </div>
  `;
}

function NoDevice() {
  return html`<${Empty} title="No device is offered now"><${HowToOffer} /></${Empty}>`;
}

function HowToOffer() {
  return html`
    A coordinator offers what its own machine has. Where another device is, start
    ${" "}<code>blocksmith device-worker --address HEAD:6379 --device NAME</code>${" "}
    there; a spec then asks for it by that name (<code>latency.device</code>).
  `;
}

/** @param {{items: any[]}} props */
function DeviceTable({ items }) {
  return html`
    <div class="panel scroll" tabindex="0" role="region" aria-label="Devices">
      <table class="devices">
        <caption class="hidden-text">Devices that a spec may name</caption>
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">State</th>
            <th scope="col">Reason</th>
            <th scope="col">Since</th>
            <th scope="col">Backend</th>
            <th scope="col">Kind</th>
            <th scope="col" class="number">Canary now</th>
            <th scope="col" class="number">On arrival</th>
            <th scope="col">Worker</th>
            <th scope="col">Labels and fingerprint</th>
          </tr>
        </thead>
        <tbody>
          ${items.map(
            (one) => html`
              <tr key=${one.device}>
                <th scope="row">
                  <span class="name">${one.device}</span>
                  ${
                    one.meaning &&
                    html`
                      <div class="muted small">${one.meaning}</div>
                    `
                  }
                </th>
                <td><${StateBadge} state=${one.state} /></td>
                <td class="small reason">${one.reason || "–"}</td>
                <td class="nowrap" title=${moment(one.since)}>${one.since === null ? "–" : ago(one.since)}</td>
                <td>
                  ${one.backend || "–"}
                  ${
                    one.runtime &&
                    html`
                      <div class="muted small">${one.runtime}</div>
                    `
                  }
                </td>
                <td>${one.kind || "–"}</td>
                <td class="number">
                  ${quantity(one.canary_ms, "ms")}
                  <${Drift} now=${one.canary_ms} before=${one.baseline_ms} />
                </td>
                <td class="number">${quantity(one.baseline_ms, "ms")}</td>
                <td class="mono worker">${one.worker || "–"}</td>
                <td class="small"><${Identity} one=${one} /></td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{state: string}} props */
function StateBadge({ state }) {
  const { tone, mark } = STATES[state] ?? STATES.absent;
  return html`
    <span class="badge ${tone}">
      <span aria-hidden="true">${mark}</span>
      ${state}
    </span>
  `;
}

/** @param {{now: number | null, before: number | null}} props */
function Drift({ now, before }) {
  if (now === null || before === null) return null;
  const drift = now / before - 1;
  const text = percent(Math.abs(drift));
  return html`
    <div class="muted small">${text === "0 %" ? "as on arrival" : `${text} ${drift > 0 ? "slower" : "faster"}`}</div>
  `;
}

/** @param {{one: any}} props */
function Identity({ one }) {
  const labels = Object.entries(one.labels);
  if (!labels.length && !one.fingerprint) return "–";
  return html`
    ${labels.map(
      ([name, value]) => html`
        <div key=${name}><span class="muted">${name}</span> ${value}</div>
      `,
    )}
    ${
      one.fingerprint &&
      html`
        <details class="fingerprint">
          <summary aria-label="Fingerprint of ${one.device}: ${one.fingerprint.slice(0, 12)}">
            <span class="mono">${one.fingerprint.slice(0, 12)}</span>
          </summary>
          <code>${one.fingerprint}</code>
        </details>
      `
    }
  `;
}

/** @param {any} a @param {any} b @returns {number} By state; what was ever seen stands before what never was. */
function mostTellingFirst(a, b) {
  return ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || Number(!a.fingerprint) - Number(!b.fingerprint);
}

/** @param {any[]} items @returns {string} */
function summary(items) {
  const counts = ORDER.map((state) => [items.filter((one) => one.state === state).length, state]);
  return counts.flatMap(([count, state]) => (count ? [`${count} ${state}`] : [])).join(", ");
}

/** @returns {number} Grows while somebody looks. */
function useTicks() {
  const [ticks, setTicks] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setTicks((before) => before + 1), PACE_MS);
    return () => clearInterval(timer);
  }, []);
  return ticks;
}
