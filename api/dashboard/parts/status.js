/** Where a search or a trial stands, in a word, a colour and a bar. */

import { html } from "../vendor/preact-standalone.mjs";

const TONES = {
  preparing: "active",
  running: "active",
  draining: "active",
  waiting: "active",
  completed: "good",
  done: "good",
  failed: "bad",
  abandoned: "bad",
  paused: "warn",
};

/** Statuses in which a search has ended for good. */
export const ENDED = ["completed", "cancelled", "failed"];

/** @param {{status: string, intent?: string}} props */
export function StatusBadge({ status, intent }) {
  const stopping = !ENDED.includes(status) && ((intent === "pause" && status !== "paused") || intent === "cancel");
  const resuming = status === "paused" && intent === "run";
  const word = stopping ? (intent === "pause" ? "pausing" : "cancelling") : resuming ? "resuming" : status;
  return html`
    <span class="badge ${stopping ? "warn" : (TONES[status] ?? "")}">${word}</span>
  `;
}

/** @param {any} search @returns {number} Trials with a verdict, whatever it is. */
export function finished({ counts }) {
  return (counts.completed ?? 0) + (counts.failed ?? 0) + (counts.abandoned ?? 0);
}

/** @param {any} search @returns {string} How many trials are done, run, or gave no result. */
export function trialsText(search) {
  const { running = 0, failed = 0, abandoned = 0 } = search.counts;
  const parts = [`${finished(search)} of ${search.budget}`];
  if (running) parts.push(`${running} running`);
  if (failed + abandoned) parts.push(`${failed + abandoned} without a result`);
  return parts.join(", ");
}

/** Trials done, running and lost, of a budget. @param {{search: any}} props */
export function TrialProgress({ search }) {
  const { completed = 0, running = 0, failed = 0, abandoned = 0 } = search.counts;
  const lost = failed + abandoned;
  const width = (count) => ({ width: `${(100 * count) / Math.max(1, search.budget)}%` });
  const text = trialsText(search);
  return html`
    <div class="progress" role="img" aria-label=${text} title=${text}>
      <i class="done" style=${width(completed)} />
      <i class="lost" style=${width(lost)} />
      <i class="running" style=${width(running)} />
    </div>
  `;
}

/** @param {{done: number, total: number, label: string}} props */
export function Progress({ done, total, label }) {
  return html`
    <div
      class="progress"
      role="progressbar"
      aria-label=${label}
      aria-valuemin="0"
      aria-valuemax=${total}
      aria-valuenow=${done}
    >
      <i class="done" style=${{ width: `${(100 * done) / Math.max(1, total)}%` }} />
    </div>
  `;
}
