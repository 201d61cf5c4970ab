/** The usual fields of a spec, each with its faults beside it. */

import { metricLabel } from "../format.js";
import { NumberInput, readNumber } from "../parts/number_input.js";
import { faultsAt, fieldOf, withField } from "../spec_document.js";
import { html } from "../vendor/preact-standalone.mjs";
import { SpaceField } from "./space_field.js";

/** Fields that the form shows: faults of all others are listed beside the button. */
export const FORM_POINTERS = [
  "/name",
  "/teacher",
  "/objectives",
  "/constraints",
  "/budget",
  "/parallelism",
  "/seed",
  "/strategy",
  "/latency",
  "/space",
];

/** @param {{spec: any, setSpec: (change: (spec: any) => any) => void, faults: any[], catalogue: any}} props */
export function SpecForm({ spec, setSpec, faults, catalogue }) {
  // From the spec as it stands then: two fields may change before the next drawing.
  const set = (path, value) =>
    setSpec((before) => withField(before, path, typeof value === "function" ? value(fieldOf(before, path)) : value));
  const metrics = catalogue ? catalogue.metrics.filter((metric) => metric.searchable) : [];
  const common = { spec, set, faults };
  return html`
    <section class="panel">
      <header>
        <h2>Spec</h2>
        <span class="muted small">Everything else has a default; see Text for all fields.</span>
      </header>
      <form class="body stack" onSubmit=${(event) => event.preventDefault()}>
        <div class="fields">
          <${TextField} ...${common} path=${["name"]} label="Name" required=${true} />
          <${TextField}
            ...${common}
            path=${["teacher", "source"]}
            label="Teacher"
            hint="reference, a folder on the server, or a hub name"
          />
        </div>
        <fieldset>
          <legend>Minimise</legend>
          <div class="fields">
            <${MetricField} ...${common} index=${0} label="Objective" metrics=${metrics} />
            <${MetricField}
              ...${common}
              index=${1}
              label="Second objective"
              metrics=${metrics}
              hint="Two objectives: the whole Pareto front"
            />
          </div>
          <${Faults} faults=${faultsAt(faults, "/objectives")} />
        </fieldset>
        <${Constraints} ...${common} metrics=${metrics} />
        <fieldset>
          <legend>Effort</legend>
          <div class="fields">
            <${NumberField}
              ...${common}
              path=${["budget", "trials"]}
              label="Trials"
              hint="Met exactly, the teacher included"
            />
            <${NumberField}
              ...${common}
              path=${["budget", "wall_time_s"]}
              label="Running time limit (s)"
              hint="None when empty"
            />
            <${NumberField} ...${common} path=${["parallelism"]} label="Jobs at once" />
            <${NumberField} ...${common} path=${["seed"]} label="Seed" />
            <${ChoiceField}
              ...${common}
              path=${["strategy", "name"]}
              label="Strategy"
              empty="auto"
              choices=${Object.keys(catalogue?.strategies ?? {})}
            />
            ${
              Array.isArray(spec.latency)
                ? html`<p class="hint">Timed on ${spec.latency.map((one) => one.device).join(", ")}</p>`
                : html`<${ChoiceField}
                    ...${common}
                    path=${["latency", "device"]}
                    drop=${["latency"]}
                    label="Device to time"
                    empty="none"
                    choices=${Object.keys(catalogue?.devices ?? {})}
                  />`
            }
          </div>
        </fieldset>
        <${SpaceField} ...${common} stages=${catalogue?.reference_stages ?? []} />
      </form>
    </section>
  `;
}

/** @param {any} props */
function TextField({ spec, set, faults, path, label, hint, required }) {
  const [id, mine] = [`spec-${path.join("-")}`, faultsAt(faults, `/${path.join("/")}`)];
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <input
        id=${id}
        required=${required}
        autocomplete="off"
        spellcheck="false"
        value=${fieldOf(spec, path) ?? ""}
        aria-invalid=${mine.length ? "true" : undefined}
        aria-describedby="${id}-fault"
        onInput=${(event) => set(path, event.target.value || (required ? "" : undefined))}
      />
      <${Faults} id="${id}-fault" faults=${mine} hint=${hint} />
    </div>
  `;
}

/** @param {any} props What is no number goes to the server as it is, which says so. */
function NumberField({ spec, set, faults, path, label, hint }) {
  const [id, mine] = [`spec-${path.join("-")}`, faultsAt(faults, `/${path.join("/")}`)];
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <${NumberInput}
        id=${id}
        value=${fieldOf(spec, path)}
        aria-invalid=${mine.length ? "true" : undefined}
        aria-describedby="${id}-fault"
        onText=${(text) => set(path, readNumber(text))}
      />
      <${Faults} id="${id}-fault" faults=${mine} hint=${hint} />
    </div>
  `;
}

/** @param {any} props */
function ChoiceField({ spec, set, faults, path, drop = path, label, empty, choices }) {
  const id = `spec-${path.join("-")}`;
  const value = fieldOf(spec, path) ?? "";
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <select
        id=${id}
        value=${value === empty ? "" : value}
        onChange=${(event) => (event.target.value ? set(path, event.target.value) : set(drop, undefined))}
      >
        <option value="">${empty}</option>
        ${choices.map(
          (choice) => html`
            <option key=${choice} value=${choice} selected=${choice === value}>${choice}</option>
          `,
        )}
      </select>
      <${Faults} faults=${faultsAt(faults, `/${path.join("/")}`)} />
    </div>
  `;
}

/** @param {any} props One of the objectives; the second may be none. */
function MetricField({ spec, set, index, label, metrics, hint }) {
  const objectives = spec.objectives ?? ["params"];
  const choose = (name) =>
    set(["objectives"], (before = ["params"]) => [0, 1].map((i) => (i === index ? name : before[i])).filter(Boolean));
  return html`
    <div class="field">
      <label for="objective-${index}">${label}</label>
      <select
        id="objective-${index}"
        value=${objectives[index] ?? ""}
        onChange=${(event) => choose(event.target.value)}
      >
        ${
          index > 0 &&
          html`
            <option value="">none</option>
          `
        }
        <${MetricOptions} metrics=${metrics} chosen=${objectives[index]} />
      </select>
      ${
        hint &&
        html`
          <span class="hint">${hint}</span>
        `
      }
    </div>
  `;
}

/**
 * @param {{metrics: any[], chosen?: string}} props What is chosen is there also while the catalogue is on its
 *   way, or does not know it.
 */
function MetricOptions({ metrics, chosen }) {
  const names = metrics.map((metric) => metric.name);
  const all = chosen && !names.includes(chosen) ? [chosen, ...names] : names;
  return all.map(
    (name) => html`
      <option key=${name} value=${name} selected=${name === chosen}>${metricLabel(name)}</option>
    `,
  );
}

/** @param {any} props */
function Constraints({ spec, set, faults, metrics }) {
  const bounds = Array.isArray(spec.constraints) ? spec.constraints : [];
  const free = metrics.find((metric) => !bounds.some((bound) => bound.metric === metric.name));
  return html`
    <fieldset>
      <legend>Bounds</legend>
      ${bounds.map((bound, i) => {
        const mine = faultsAt(faults, `/constraints/${i}`);
        const edit = (change) =>
          set(["constraints"], (before) => before.map((one, j) => (i === j ? { ...one, ...change } : one)));
        return html`
          <div key=${i} class="constraint">
            <select
              aria-label="Metric of bound ${i + 1}"
              value=${bound.metric}
              onChange=${(event) => edit({ metric: event.target.value })}
            >
              <${MetricOptions} metrics=${metrics} chosen=${bound.metric} />
            </select>
            <span>≤</span>
            <${NumberInput}
              aria-label="Bound ${i + 1}, at most"
              aria-invalid=${mine.length ? "true" : undefined}
              value=${bound.at_most}
              onText=${(text) => edit({ at_most: readNumber(text) ?? "" })}
            />
            <button
              type="button"
              class="quiet icon"
              aria-label="Remove bound ${i + 1}"
              onClick=${() => set(["constraints"], (before) => before.filter((_, j) => j !== i))}
            >
              ✕
            </button>
            <${Faults} faults=${mine} />
          </div>
        `;
      })}
      ${
        free &&
        bounds.length < 8 &&
        html`
          <button
            type="button"
            class="small"
            onClick=${() => set(["constraints"], (before) => [...(before ?? []), { metric: free.name, at_most: 1 }])}
          >
            Add a bound
          </button>
        `
      }
    </fieldset>
  `;
}

/** @param {{faults: any[], hint?: string, id?: string}} props */
export function Faults({ faults, hint, id }) {
  return html`
    <span id=${id} class=${faults.length ? "fault" : "hint"}>
      ${faults.map(({ reason, nearest }) => (nearest ? `${reason}; nearest: ${nearest}` : reason)).join(". ") || hint}
    </span>
  `;
}
