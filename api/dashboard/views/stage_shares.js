/** What each stage weighs and what its cheapest variant saves: by params one stage matters, by milliseconds another. */

import { Chart } from "../charts/chart.js";
import { hue, stageSharesOption } from "../charts/stage_shares.js";
import { metricLabel, percent } from "../format.js";
import { palette, useTheme } from "../parts/theme.js";
import { html, useMemo } from "../vendor/preact-standalone.mjs";

/** @param {{stages: import("../charts/stage_shares.js").StageRow[], asTable: boolean}} props */
export function StageShares({ stages, asTable }) {
  const theme = useTheme();
  const figures = Object.keys(stages[0]?.share ?? {});
  const option = useMemo(() => stageSharesOption(stages, figures, palette()), [stages, theme]);
  if (!stages.length) return null;
  return html`
    <div class="stack">
      <h3>Share of the teacher, stage by stage</h3>
      ${
        asTable
          ? html`
              <${ShareTable} stages=${stages} figures=${figures} />
            `
          : html`
              <${Chart}
                name="stage-shares"
                axes=${figures.join(" ")}
                option=${option}
                label="Each stage's share of the teacher, and what its cheapest variant saves; the table shows the same"
              />
              <p class="legend small muted">
                ${figures.map(
                  (one, place) => html`
                    <span key=${one}>
                      <i class="mark bar-of ${hue(place)}" />
                      ${metricLabel(one)}
                    </span>
                  `,
                )}
                <span>
                  <i class="mark bar-of saved" />
                  pale: what the cheapest variant saves
                </span>
              </p>
            `
      }
    </div>
  `;
}

/** @param {{stages: any[], figures: string[]}} props */
function ShareTable({ stages, figures }) {
  return html`
    <div class="scroll short" tabindex="0">
      <table class="compact shares">
        <caption class="hidden-text">Share of the teacher of each stage, and what its cheapest variant saves</caption>
        <thead>
          <tr>
            <td />
            ${figures.map(
              (one) => html`
                <th key=${one} scope="colgroup" colspan="2" class="number">${metricLabel(one)}</th>
              `,
            )}
          </tr>
          <tr>
            <th scope="col">Stage</th>
            ${figures.map(
              (one) => html`
                <th key=${`${one} share`} scope="col" class="number">share</th>
                <th key=${`${one} saves`} scope="col" class="number">saves</th>
              `,
            )}
          </tr>
        </thead>
        <tbody>
          ${stages.map(
            (row) => html`
              <tr key=${row.stage}>
                <th scope="row">${row.stage}</th>
                ${figures.map(
                  (one) => html`
                    <td key=${`${one} share`} class="number">${percent(row.share[one])}</td>
                    <td key=${`${one} saves`} class="number">${percent(row.saves_at_most[one])}</td>
                  `,
                )}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
