/** Which search this is, where it stands, and what can be done with it. */

import { ago, duration, measurement, metricName, moment, number } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { StatusBadge, TrialProgress, trialsText } from "../parts/status.js";
import { here, linkTo } from "../router.js";
import { html, useEffect } from "../vendor/preact-standalone.mjs";
import { SearchActions } from "./search_actions.js";

/** @param {{model: import("../search_model.js").SearchModel, me: any, analysis: any, draft: any, front: any}} props */
export function SearchHeader({ model, me, analysis, draft, front }) {
  const { search, trials } = model;
  useEffect(() => {
    document.title = `${search.name} · Blocksmith`;
    return () => {
      document.title = "Blocksmith";
    };
  }, [search.name]);
  const onChange = (after) => {
    model.search = { ...search, ...after };
    model.show();
    model.refresh();
  };
  return html`<header class="search-header stack">
    <div class="bar">
      <h1>${search.name}</h1>
      <${StatusBadge} status=${search.status} intent=${search.intent} />
      ${
        search.deleted_at &&
        html`
          <span class="badge bad">in the trash</span>
        `
      }
      ${
        search.kind === "dry_run" &&
        html`
          <span class="badge">dry run</span>
        `
      }
      <div class="end"><${SearchActions} search=${search} me=${me} onChange=${onChange} /></div>
    </div>
    ${
      search.failure &&
      html`
        <${ProblemNotice} problem=${new Error(search.failure.message)} />
      `
    }
    <div class="figures">
      <${Figure} label="Trials">
        <${TrialProgress} search=${search} />
        <span>${trialsText(search)}</span>
      </>
      <${Best} trials=${trials} analysis=${analysis} draft=${draft} search=${search} />
      <${Knee} trials=${trials} analysis=${analysis} knee=${draft ? null : front?.knee} search=${search} />
      <${Figure} label="Space"><span>${number(search.architectures_in_space)} architectures</span></>
      <${Figure} label="Running time"><span>${duration(search.ran_s)}</span></>
      <${Figure} label="Created"><span title=${moment(search.created_at)}>${ago(search.created_at)}</span></>
      <${Figure} label="Id"><span class="mono">${search.search}</span></>
      ${search.parent && html`<${Figure} label="Cloned from"><${SearchLink} id=${search.parent} /></>`}
      ${search.estimate && html`<${Figure} label="Estimate"><span>${estimateText(search.estimate)}</span></>`}
    </div>
  </header>`;
}

/** The best trial under the bounds shown, which need not be those in force. */
function Best({ trials, analysis, draft, search }) {
  if (analysis.best < 0) return html`<${Figure} label="Best"><span class="muted">nothing measured yet</span></>`;
  const objective = analysis.objectives[0];
  const value = measurement(trials.measurement(objective, analysis.best));
  const kind = analysis.violation[analysis.best] === 0 ? "Best" : "Least violating";
  return html`<${Figure} label=${draft ? `${kind} under moved bounds` : kind}>
    <span>
      <${TrialLink} search=${search} number=${trials.number[analysis.best]} />
      ${` · ${value} ${metricName(objective)}`}
    </span>
  </>`;
}

/** Where the front bends, and what it buys for what against the best. */
function Knee({ trials, analysis, knee, search }) {
  const at = trials.position(knee);
  if (at < 0 || at === analysis.best || analysis.best < 0) return null;
  const trade = analysis.axes.map((axis) => {
    const [here, there] = [at, analysis.best].map((i) => trials.metrics[axis]?.mean[i]);
    const percent = Math.round(100 * (here / there - 1));
    return `${percent > 0 ? "+" : percent < 0 ? "−" : "±"}${Math.abs(percent)} % ${metricName(axis)}`;
  });
  return html`<${Figure} label="Knee, against the best">
    <span><${TrialLink} search=${search} number=${knee} />${` · ${trade.join(", ")}`}</span>
  </>`;
}

/** @param {{search: any, number: number}} props */
function TrialLink({ search, number: n }) {
  return html`<a href=${linkTo(["searches", search.search], { ...here().query, trial: String(n) })}>Trial ${n}</a>`;
}

/** @param {{id: string}} props */
function SearchLink({ id }) {
  return html`<a class="mono" href=${linkTo(["searches", id])}>${id}</a>`;
}

/** @param {{seconds_total: number, slots: number}} estimate @returns {string} */
function estimateText({ seconds_total: seconds, slots }) {
  return `${duration(seconds)} on ${slots} slots`;
}

/** @param {{label: string, children?: any}} props */
function Figure({ label, children }) {
  return html`
    <div class="figure">
      <span class="label">${label}</span>
      ${children}
    </div>
  `;
}
