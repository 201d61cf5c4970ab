/** One search: what it found, what it does, and what other bounds would make of it. */

import { analyse, defaultAxes } from "../analysis.js";
import { loadCharts } from "../charts/library.js";
import { Loading, ProblemNotice } from "../parts/notice.js";
import { SearchModel } from "../search_model.js";
import { selectedNumbers } from "../selection.js";
import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-standalone.mjs";
import { BoundsPanel } from "./bounds_panel.js";
import { EventFeed } from "./event_feed.js";
import { HardwarePanel } from "./hardware_panel.js";
import { HeatMap } from "./heat_map.js";
import { HypervolumePanel } from "./hypervolume_panel.js";
import { LibraryPanel } from "./library_panel.js";
import { ModelPanel } from "./model_panel.js";
import { ParetoPanel } from "./pareto_panel.js";
import { SearchHeader } from "./search_header.js";
import { TrialDrawer } from "./trial_drawer.js";
import { TrialsPanel } from "./trials_panel.js";
import { useFetched } from "./use_fetched.js";
import { usePlace } from "./use_place.js";

/** @param {{id: string, me: any}} props */
export function SearchPage({ id, me }) {
  const model = useModel(id);
  const { query } = usePlace();
  const { search, trials, versions } = model;
  const { draft, base, setDraft, rebase } = useDraft(versions.at(-1)?.version);
  const version = versions.find((one) => String(one.version) === query.bounds) ?? versions.at(-1);
  const bounds = draft ?? version?.constraints ?? [];
  const objectives = version?.objectives ?? [];
  const known = Object.keys(trials.metrics);
  const usual = version ? defaultAxes(objectives, version.constraints, known) : ["params", "noise_mse_relative"];
  const shown = /** @type {[string, string]} */ ([
    known.includes(query.x) ? query.x : usual[0],
    known.includes(query.y) ? query.y : usual[1],
  ]);

  const analysis = useMemo(
    () => analyse(trials, { objectives, bounds }, shown),
    [trials.revision, bounds, version, ...shown],
  );
  const selected = useMemo(() => selectedNumbers(query, trials), [query.sel, query.block, trials.revision]);

  const older = version === versions.at(-1) ? undefined : version.version;
  const { value } = useFetched(`/v1/searches/${id}/front`, { bounds_version: older }, [model.pulse, older]);
  const front = value?.bounds_version === version?.version ? value : null;

  if (!search || !version)
    return model.problem
      ? html`
          <${ProblemNotice} problem=${model.problem} retry=${() => model.open()} />
        `
      : html`
          <${Loading} what="Loading the search" />
        `;
  const view = { front, model, me, query, version, bounds, draft, base, setDraft, rebase, shown, analysis, selected };
  return html`
    <div class="search-page">
      <${SearchHeader} ...${view} />
      <${ProblemNotice} problem=${model.problem} retry=${() => model.refresh()} />
      <div class="columns">
        <div class="stack"><${ParetoPanel} ...${view} /></div>
        <div class="stack">
          <${BoundsPanel} ...${view} />
          <${HypervolumePanel} ...${view} />
        </div>
      </div>
      <div class="columns level">
        <${HeatMap} ...${view} />
        <${LibraryPanel} ...${view} />
      </div>
      <${ModelPanel} ...${view} />
      <${HardwarePanel} ...${view} />
      <${TrialsPanel} ...${view} />
      <${EventFeed} ...${view} />
      ${
        query.trial &&
        html`
          <${TrialDrawer} key=${query.trial} number=${Number(query.trial)} ...${view} />
        `
      }
    </div>
  `;
}

/**
 * Bounds being moved, and the version they were moved from: saving onto any other would undo somebody else's.
 *
 * @param {number | undefined} newest
 */
function useDraft(newest) {
  const [moved, setMoved] = useState(/** @type {any} */ (null));
  const setDraft = (bounds) => setMoved((before) => bounds && { bounds, base: before?.base ?? newest });
  const rebase = () => setMoved((before) => before && { ...before, base: newest });
  return { draft: moved?.bounds ?? null, base: moved?.base, setDraft, rebase };
}

/** @param {string} id @returns {SearchModel} A model that redraws the page when it changes. */
function useModel(id) {
  const [, redraw] = useState(0);
  const model = useRef(/** @type {any} */ (null));
  model.current ??= new SearchModel(id, () => redraw((before) => before + 1));
  useEffect(() => {
    loadCharts();
    model.current.open();
    return () => model.current.close();
  }, []);
  return model.current;
}
