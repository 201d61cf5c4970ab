/** A new search: a form for what is usual, text for everything, both checked by the server as one types. */

import { address, change, get } from "../client.js";
import { ProblemNotice } from "../parts/notice.js";
import { go, linkTo } from "../router.js";
import { FRESH } from "../spec_document.js";
import { html, useEffect, useRef, useState } from "../vendor/preact-standalone.mjs";
import { SpecForm } from "./spec_form.js";
import { SpecText } from "./spec_text.js";
import { SubmitPanel } from "./submit_panel.js";
import { useFetched } from "./use_fetched.js";
import { usePlace } from "./use_place.js";

const CHECK_MS = 600;

/** @param {{me: any}} props */
export function NewSearch({ me }) {
  const { query } = usePlace();
  const [spec, setSpec] = useState(/** @type {any} */ (FRESH));
  const [asText, setAsText] = useState(false);
  const [parsed, setParsed] = useState(true);
  const [start, setStart] = useState({ from: query.clone ?? "", trials: 16, project: "" });
  const { value: catalogue, problem } = useFetched("/v1/catalogue");
  const check = useCheck(spec, parsed);
  useEffect(() => {
    if (query.clone)
      get(`/v1/searches/${query.clone}/spec`).then(
        (original) => setSpec({ ...original, name: `${original.name}-2` }),
        () => {},
      );
  }, [query.clone]);
  const submit = (path, idempotencyKey) =>
    change(
      "POST",
      address(path, {
        warm_start: path === "/v1/searches" ? start.from : "",
        warm_start_trials: path === "/v1/searches" && start.from ? start.trials : "",
        project: me.project ? "" : start.project,
      }),
      spec,
      { "Idempotency-Key": idempotencyKey },
    ).then((search) => go(linkTo(["searches", search.search])));
  return html`
    <div class="new-search">
      <div class="bar">
        <h1>${query.clone ? "Clone a search" : "New search"}</h1>
        <span class="segmented end" role="group" aria-label="How to write it">
          <button aria-pressed=${!asText} disabled=${!parsed} onClick=${() => setAsText(false)}>Form</button>
          <button aria-pressed=${asText} onClick=${() => setAsText(true)}>Text</button>
        </span>
      </div>
      <${ProblemNotice} problem=${problem} />
      <div class="columns">
        ${
          asText
            ? html`
                <${SpecText} spec=${spec} setSpec=${setSpec} onParsed=${setParsed} faults=${check.faults} />
              `
            : html`
                <${SpecForm} spec=${spec} setSpec=${setSpec} faults=${check.faults} catalogue=${catalogue} />
              `
        }
        <${SubmitPanel}
          me=${me}
          spec=${spec}
          parsed=${parsed}
          check=${check}
          start=${start}
          setStart=${setStart}
          onSubmit=${submit}
        />
      </div>
    </div>
  `;
}

/**
 * What the server says of a spec, a moment after the last change.
 *
 * @param {any} spec @param {boolean} parsed
 * @returns {{state: "checking" | "valid" | "faulty" | "unknown", faults: any[], answer: any, problem: any}}
 */
function useCheck(spec, parsed) {
  const [result, setResult] = useState(
    /** @type {any} */ ({ state: "unknown", faults: [], answer: null, problem: null }),
  );
  const round = useRef(0);
  useEffect(() => {
    const mine = ++round.current;
    if (!parsed || spec === FRESH) return undefined;
    setResult((before) => ({ ...before, state: "checking" }));
    const settle = (after) => {
      if (mine === round.current) setResult(after);
    };
    const timer = setTimeout(
      () =>
        change("POST", "/v1/searches?check=true", spec).then(
          (answer) => settle({ state: "valid", faults: [], answer, problem: null }),
          (problem) =>
            settle({
              state: problem.faults?.length ? "faulty" : "unknown",
              faults: problem.faults ?? [],
              answer: null,
              problem: problem.faults?.length ? null : problem,
            }),
        ),
      CHECK_MS,
    );
    return () => clearTimeout(timer);
  }, [spec, parsed]);
  return result;
}
