/** The search space: the teacher's own, or blocks picked stage by stage. */

import { faultsAt } from "../spec_document.js";
import { html } from "../vendor/preact-standalone.mjs";
import { Faults } from "./spec_form.js";

/**
 * @param {{spec: any, set: (path: any[], value: any) => void, faults: any[], stages: {stage: string, variants:
 *   string[]}[]}} props
 */
export function SpaceField({ spec, set, faults, stages }) {
  const space = spec.space ?? {};
  const picks = Object.keys(space).length > 0;
  const pick = () =>
    set(["space"], Object.fromEntries(stages.map(({ stage, variants }) => [stage, variants.slice(0, 4)])));
  return html`
    <fieldset>
      <legend>Space</legend>
      <div class="bar">
        <label class="inline">
          <input type="radio" name="space" checked=${!picks} onChange=${() => set(["space"], undefined)} />
          The teacher's default
        </label>
        <label class="inline">
          <input type="radio" name="space" checked=${picks} disabled=${!stages.length} onChange=${pick} />
          Pick blocks
        </label>
      </div>
      ${
        picks &&
        (spec.teacher?.source ?? "reference") !== "reference" &&
        html`
          <p class="hint">These are the reference teacher's blocks; the server checks them against yours.</p>
        `
      }
      ${
        picks &&
        stages.map(
          ({ stage, variants }) => html`
            <${StageChoice}
              key=${stage}
              stage=${stage}
              variants=${variants}
              chosen=${space[stage] ?? []}
              faults=${faultsAt(faults, `/space/${stage}`)}
              onChange=${(chosen) => set(["space", stage], chosen.length ? chosen : undefined)}
            />
          `,
        )
      }
      <${Faults} faults=${faults.filter((fault) => fault.pointer === "/space")} />
    </fieldset>
  `;
}

/**
 * @param {{stage: string, variants: string[], chosen: string[], faults: any[], onChange: (chosen: string[]) =>
 *   void}} props
 */
function StageChoice({ stage, variants, chosen, faults, onChange }) {
  const flip = (variant) =>
    onChange(
      chosen.includes(variant)
        ? chosen.filter((one) => one !== variant)
        : variants.filter((one) => one === variant || chosen.includes(one)),
    );
  return html`
    <details class="stage-choice">
      <summary>
        <strong>${stage}</strong>
        <span class="muted"> ${chosen.length ? chosen.join(", ") : "keeps the teacher's block"}</span>
        <${Faults} faults=${faults} />
      </summary>
      <div class="choices" role="group" aria-label="Blocks of ${stage}">
        ${variants.map(
          (variant) => html`
            <label key=${variant} class="inline">
              <input type="checkbox" checked=${chosen.includes(variant)} onChange=${() => flip(variant)} />
              ${variant}
            </label>
          `,
        )}
      </div>
    </details>
  `;
}
