/** The network of a trial as a zip: asked for, waited for, saved. */

import { change, download, get } from "../client.js";
import { bytes } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { StatusBadge } from "../parts/status.js";
import { html, useEffect, useState } from "../vendor/preact-standalone.mjs";

/** Exports have no events of their own, so a waiting one is asked about. */
const POLL_MS = 700;

/** @param {{model: import("../search_model.js").SearchModel, me: any, number: number}} props */
export function ExportPanel({ model, me, number }) {
  const [own, setOwn] = useState(/** @type {any} */ (null));
  const latest = own ?? model.exports.find((one) => one.trial === number) ?? null;
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const pending = latest && ["waiting", "running"].includes(latest.status);
  useEffect(() => {
    if (!pending) return undefined;
    const again = () => setOwn({ ...latest }); // the server may be away for a moment
    const timer = setTimeout(() => get(`/v1/exports/${latest.export}`).then(setOwn, again), POLL_MS);
    return () => clearTimeout(timer);
  }, [latest]);
  const guarded = (work) => async () => {
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(error);
    }
  };
  const start = guarded(async () =>
    setOwn(await change("POST", `/v1/searches/${model.id}/exports`, { trial: number })),
  );
  const save = guarded(() =>
    download(`/v1/exports/${latest.export}/content`, `${model.search.name}-trial-${number}.zip`),
  );
  return html`
    <section class="stack">
      <div class="bar">
        <h3>Export</h3>
        ${
          latest &&
          html`
            <${StatusBadge} status=${latest.status} />
          `
        }
        ${
          me.role !== "reader" &&
          !pending &&
          latest?.status !== "done" &&
          html`
            <button class="small" onClick=${start}>${latest ? "Export again" : "Export this network"}</button>
          `
        }
        ${
          latest?.status === "done" &&
          html`
            <button class="small primary" onClick=${save}>Download (${bytes(latest.size_bytes)})</button>
          `
        }
      </div>
      ${
        !latest &&
        html`
          <p class="small muted">A zip with a diffusers folder, an ONNX file and a report.</p>
        `
      }
      ${
        latest?.failure &&
        html`
          <${ProblemNotice} problem=${new Error(latest.failure.message)} />
        `
      }
      <${ProblemNotice} problem=${problem} />
    </section>
  `;
}
