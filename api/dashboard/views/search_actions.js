/** Run, pause, cancel, delete, restore: what the present state allows, and nothing else. */

import { change } from "../client.js";
import { Confirm } from "../parts/dialog.js";
import { ENDED } from "../parts/status.js";
import { linkTo } from "../router.js";
import { html, useState } from "../vendor/preact-standalone.mjs";

/** @param {{search: any, me: any, onChange: (search: any) => void, small?: boolean}} props */
export function SearchActions({ search, me, onChange, small = false }) {
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  if (me.role === "reader") return null;
  const act = (work) => async () => {
    setBusy(true);
    setProblem(null);
    try {
      onChange(await work());
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  const at = `/v1/searches/${search.search}`;
  const intend = (intent) => act(() => change("PATCH", at, { intent }));
  const trash = act(async () => (await change("DELETE", at)) ?? { ...search, deleted_at: Date.now() / 1000 });
  const restore = act(async () => (await change("POST", `${at}/restore`)) ?? { ...search, deleted_at: null });
  const size = small ? "small" : "";
  const button = (label, onClick, name = label) => html`
    <button key=${name} class=${size} disabled=${busy} onClick=${onClick} aria-label="${name} ${search.name}">
      ${label}
    </button>
  `;
  const ended = ENDED.includes(search.status);
  return html`
    <span class="bar">
      ${
        problem &&
        html`
          <span class="small fault" role="alert">${problem.message}</span>
        `
      }
      ${search.deleted_at && button("Restore", restore)}
      ${
        !search.deleted_at &&
        !ended && [
          search.intent === "pause" ? button("Resume", intend("run")) : button("Pause", intend("pause")),
          button("Cancel", () => setAsking(true)),
        ]
      }
      ${!search.deleted_at && (ended || search.status === "paused") && button("Delete", trash)}
      ${
        !small &&
        html`
          <a class="button" href=${linkTo(["new"], { clone: search.search })}>Clone</a>
        `
      }
      ${
        asking &&
        html`<${Confirm}
          title="Cancel ${search.name}?"
          confirm="Cancel the search"
          onClose=${() => setAsking(false)}
          onConfirm=${intend("cancel")}
        >
          <p>Trials that run are dropped. What is finished stays, but the search cannot go on.</p>
          <p>To stop for a while, pause it.</p>
    </${Confirm}>`
      }
    </span>
  `;
}
