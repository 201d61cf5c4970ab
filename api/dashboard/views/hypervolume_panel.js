/** How the front grew, against a reference point that never moves. */

import { Chart } from "../charts/chart.js";
import { hypervolumeOption, shares } from "../charts/hypervolume.js";
import { metricLabel, number } from "../format.js";
import { palette, useTheme } from "../parts/theme.js";
import { html, useMemo, useState } from "../vendor/preact-standalone.mjs";
import { useFetched } from "./use_fetched.js";

/** @param {any} props */
export function HypervolumePanel({ model, version }) {
  const theme = useTheme();
  const [asTable, setAsTable] = useState(false);
  const { value } = useFetched(
    version && `/v1/searches/${model.id}/hypervolume`,
    { bounds_version: version?.version },
    [model.pulse, version?.version],
  );
  const grown = useMemo(() => (value ? shares(value) : []), [value]);
  const option = useMemo(() => hypervolumeOption(grown, palette()), [grown, theme]);
  const drawn = grown.length > 0;
  return html`
    <section class="panel" aria-labelledby="hypervolume-title">
      <header>
        <h2 id="hypervolume-title">Hypervolume</h2>
        <div class="end">
          <button class="small" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>
        </div>
      </header>
      ${
        !drawn &&
        html`
          <p class="body muted">Shown as soon as there is a front and a reference.</p>
        `
      }
      ${
        drawn &&
        !asTable &&
        html`
          <${Chart}
            name="hypervolume"
            option=${option}
            label="Hypervolume over trials as a share of the reference box; the table shows the same"
          />
        `
      }
      ${
        drawn &&
        asTable &&
        html`
          <div class="scroll short" tabindex="0">
            <table>
              <caption class="hidden-text">Hypervolume after each trial that made the front grow</caption>
              <thead>
                <tr>
                  <th scope="col" class="number">Trials</th>
                  <th scope="col" class="number">Share of the box</th>
                  <th scope="col" class="number">Hypervolume</th>
                </tr>
              </thead>
              <tbody>
                ${grown.map(
                  (point) => html`
                    <tr key=${point.trials}>
                      <td class="number">${point.trials}</td>
                      <td class="number">${number(point.share)}</td>
                      <td class="number">${number(point.hypervolume)}</td>
                    </tr>
                  `,
                )}
              </tbody>
            </table>
          </div>
        `
      }
      ${
        value?.reference &&
        html`
          <p class="reference small muted" title=${value.how}>
            Fixed reference:${" "}
            ${value.axes.map((axis, i) => `${metricLabel(axis)} ${number(value.reference[i])}`).join(", ")}
          </p>
        `
      }
    </section>
  `;
}
