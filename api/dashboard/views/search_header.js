/** Which search this is, where it stands, and what can be done with it. */

import { ago, duration, measurement, metricLabel, moment, number } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { finished, StatusBadge, TrialProgress } from "../parts/status.js";
import { linkTo } from "../router.js";
import { html, useEffect } from "../vendor/preact-standalone.mjs";
import { SearchActions } from "./search_actions.js";

/** @param {{model: import("../search_model.js").SearchModel, me: any, analysis: any, draft: any}} props */
export function SearchHeader({ model, me, analysis, draft }) {
  const { search, trials } = model;
  useEffect(() => {
    document.title = `${search.name} · Blocksmith`;
    return () => { document.title = "Blocksmith"; };
  }, [search.name]);
  const { running = 0, failed = 0, abandoned = 0 } = search.counts;
  const onChange = (after) => { model.search = { ...search, ...after }; model.show(); model.refresh(); };
  return html`<header class="search-header stack">
    <div class="bar">
      <h1>${search.name}</h1>
      <${StatusBadge} status=${search.status} intent=${search.intent} />
      ${search.deleted_at && html`<span class="badge bad">in the trash</span>`}
      ${search.kind === "dry_run" && html`<span class="badge">dry run</span>`}
      <div class="end"><${SearchActions} search=${search} me=${me} onChange=${onChange} /></div>
    </div>
    ${search.failure && html`<${ProblemNotice} problem=${new Error(search.failure.message)} />`}
    <div class="figures">
      <${Figure} label="Trials"><${TrialProgress} search=${search} />
        <span>${finished(search)} of ${search.budget}${running ? `, ${running} running` : ""}${failed + abandoned ? `, ${failed + abandoned} without a result` : ""}</span>
      </${Figure}>
      <${Best} trials=${trials} analysis=${analysis} draft=${draft} search=${search} />
      <${Figure} label="Space"><span>${number(search.architectures_in_space)} architectures</span></${Figure}>
      <${Figure} label="Running time"><span>${duration(search.ran_s)}</span></${Figure}>
      <${Figure} label="Created"><span title=${moment(search.created_at)}>${ago(search.created_at)}</span></${Figure}>
      <${Figure} label="Id"><span class="mono">${search.search}</span>${search.parent && html`<span>from <a class="mono" href=${linkTo(["searches", search.parent])}>${search.parent}</a></span>`}</${Figure}>
      ${search.estimate && html`<${Figure} label="Estimate"><span>${duration(search.estimate.seconds_total)} on ${search.estimate.slots} slots</span></${Figure}>`}
    </div>
  </header>`;
}

/** The best trial under the bounds shown, which need not be those in force. */
function Best({ trials, analysis, draft, search }) {
  if (analysis.best < 0) return html`<${Figure} label="Best"><span class="muted">nothing measured yet</span></${Figure}>`;
  const n = trials.number[analysis.best];
  const objective = analysis.objectives[0];
  const column = trials.metrics[objective];
  const feasible = analysis.violation[analysis.best] === 0;
  const value = column && measurement({ mean: column.mean[analysis.best], sem: column.sem[analysis.best] ?? 0, unit: column.unit });
  return html`<${Figure} label=${`${feasible ? "Best" : "Least violating"}${draft ? " under moved bounds" : ""}`}>
    <span><a href=${linkTo(["searches", search.search], { trial: String(n) })}>Trial ${n}</a> · ${value} ${metricLabel(objective).toLowerCase()}</span>
  </${Figure}>`;
}

/** @param {{label: string, children?: any}} props */
function Figure({ label, children }) {
  return html`<div class="figure"><span class="label">${label}</span>${children}</div>`;
}
