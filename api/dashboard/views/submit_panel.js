/** The last step: is it valid, from what does it start, where does it go; dry run or submit. */

import { number } from "../format.js";
import { FaultList, ProblemNotice } from "../parts/notice.js";
import { faultsElsewhere } from "../spec_document.js";
import { html, useRef, useState } from "../vendor/preact-standalone.mjs";
import { FORM_POINTERS } from "./spec_form.js";
import { useFetched } from "./use_fetched.js";

/** @param {any} props */
export function SubmitPanel({ me, spec, parsed, check, start, setStart, onSubmit }) {
  const { value: searches } = useFetched("/v1/searches", { limit: 100, kind: "search" });
  const { value: projects } = useFetched(me.project ? null : "/v1/projects");
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  // The same text sent twice, after a lost answer for instance, is one search: the key changes with the text.
  const sent = useRef({ text: "", key: "" });
  const submit = (path) => async () => {
    const text = path + JSON.stringify([spec, start]);
    if (sent.current.text !== text) sent.current = { text, key: randomKey() };
    setBusy(true);
    setProblem(null);
    try {
      await onSubmit(path, sent.current.key);
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  const elsewhere = faultsElsewhere(check.faults, FORM_POINTERS);
  const cannot = busy || !parsed || !spec.name;
  return html`
    <aside class="panel submit">
      <header><h2>Submit</h2></header>
      <div class="body stack">
        ${
          !me.project &&
          projects &&
          html`
            <div class="field">
              <label for="project">Project</label>
              <select
                id="project"
                value=${start.project}
                onChange=${(event) => setStart({ ...start, project: event.target.value })}
              >
                ${projects.items.map(
                  (one) => html`
                    <option key=${one.project} value=${one.project === "default" ? "" : one.project}>
                      ${one.project}
                    </option>
                  `,
                )}
              </select>
            </div>
          `
        }
        <div class="field">
          <label for="warm">Try first</label>
          <select
            id="warm"
            value=${start.from}
            onChange=${(event) => setStart({ ...start, from: event.target.value })}
          >
            <option value="">nothing: start from scratch</option>
            ${(searches?.items ?? []).map(
              (one) => html`
                <option key=${one.search} value=${one.search} selected=${one.search === start.from}>
                  ${one.name} (${one.search})
                </option>
              `,
            )}
          </select>
          <span class="hint">The best architectures of an earlier search, spread along its front.</span>
        </div>
        ${
          start.from &&
          html`
            <div class="field">
              <label for="warm-trials">How many of them</label>
              <input
                id="warm-trials"
                type="number"
                min="1"
                max="500"
                value=${start.trials}
                onInput=${(event) => setStart({ ...start, trials: Number(event.target.value) || 16 })}
              />
            </div>
          `
        }
        <${Verdict} check=${check} elsewhere=${elsewhere} parsed=${parsed} />
        <${ProblemNotice} problem=${problem ?? check.problem} />
        <div class="bar">
          <button class="primary" disabled=${cannot} onClick=${submit("/v1/searches")}>Submit search</button>
          <button
            disabled=${cannot}
            onClick=${submit("/v1/dry-runs")}
            title="One random architecture, end to end; its results are reused"
          >
            Dry run
          </button>
        </div>
        <p class="small muted">
          A dry run takes one random architecture end to end and says how long the search will take. Its results are
          reused.
        </p>
      </div>
    </aside>
  `;
}

/** @param {{check: any, elsewhere: any[], parsed: boolean}} props */
function Verdict({ check, elsewhere, parsed }) {
  if (!parsed)
    return html`
      <p class="notice bad" role="status">The text is not valid YAML.</p>
    `;
  if (check.state === "checking")
    return html`
      <p class="muted" role="status">Checking…</p>
    `;
  if (check.state === "valid")
    return html`
      <p class="notice good" role="status">
        Valid: ${number(check.answer.architectures_in_space)} architectures over ${check.answer.stages.length} stages.
      </p>
    `;
  if (check.state !== "faulty")
    return html`
      <p class="muted" role="status">Checked by the server as you type.</p>
    `;
  const count = check.faults.length;
  return html`
    <div class="notice bad" role="status">
      <p>
        <strong>${count} ${count === 1 ? "fault" : "faults"}</strong>, marked at ${count === 1 ? "its field" : "their fields"}.
      </p>
      ${
        elsewhere.length > 0 &&
        html`
          <${FaultList} faults=${elsewhere} />
        `
      }
    </div>
  `;
}

/** @returns {string} 128 random bits; `crypto.randomUUID` exists on secure origins alone. */
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
