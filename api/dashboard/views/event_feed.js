/** What happened, newest first. */

import { metricLabel, moment, number, timeOfDay } from "../format.js";
import { html } from "../vendor/preact-standalone.mjs";

const SHOWN = 60;

/** @param {any} props */
export function EventFeed({ model }) {
  const events = model.events.slice(-SHOWN).reverse();
  return html`
    <section class="panel" aria-labelledby="events-title">
      <header>
        <h2 id="events-title">Events</h2>
        <span class="muted small">${model.search.last_event} so far</span>
      </header>
      <div class="scroll short" tabindex="0">
        ${
          events.length === 0 &&
          html`
            <p class="body muted">Nothing yet.</p>
          `
        }
        <ol class="events">
          ${events.map(
            ({ id, kind, at, facts }) => html`
              <li key=${id}>
                <time class="muted small nowrap" title=${moment(at)}>
                  ${timeOfDay(at)}
                </time>
                <span>${sentence(kind, facts)}</span>
              </li>
            `,
          )}
        </ol>
      </div>
    </section>
  `;
}

/** @param {string} kind @param {Record<string, any>} facts @returns {string} An event in words. */
function sentence(kind, facts) {
  if (kind === "search") return `Search ${facts.status}${facts.message ? `: ${facts.message}` : ""}`;
  if (kind === "trial")
    return [
      `Trial ${facts.number} ${facts.status}`,
      facts.how && facts.how !== "evaluated" ? ` (${facts.how})` : "",
      facts.message ? `: ${facts.message}` : "",
    ].join("");
  if (kind === "library")
    return [`Library ${facts.done} of ${facts.total}:`, facts.job, facts.stage, facts.variant].filter(Boolean).join(" ");
  if (kind === "latency")
    return `Trial ${facts.number} measured at ${number(facts.latency_ms)} ms${facts.device ? ` on ${facts.device}` : ""}`;
  if (kind === "retry") return `Retry of ${facts.what}: ${facts.message}`;
  if (kind === "suggestion")
    return `${facts.trials} proposed by the fall-back (${facts.reason}, ${number(facts.seconds)} s): ${facts.message}`;
  if (kind === "intent") return `${facts.by || "Someone"} asked to ${facts.intent}`;
  if (kind === "bounds")
    return `Bounds version ${facts.version}: ${bounds(facts)}${facts.by ? `, by ${facts.by}` : ""}`;
  return `${kind} ${Object.entries(facts)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")}`;
}

/** @param {Record<string, any>} facts */
function bounds(facts) {
  const all = Object.entries(facts).filter(([name]) => name.startsWith("at_most."));
  return all.map(([name, atMost]) => `${metricLabel(name.slice(8))} ≤ ${number(atMost)}`).join(", ") || "none";
}
