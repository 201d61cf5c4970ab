/** The searches: how far each has come, and what can be done with it. */

import { ago, metricLabel } from "../format.js";
import { Empty, Loading, ProblemNotice } from "../parts/notice.js";
import { finished, StatusBadge, TrialProgress } from "../parts/status.js";
import { linkTo, setQuery } from "../router.js";
import { html } from "../vendor/preact-standalone.mjs";
import { BoundsText } from "./bounds_text.js";
import { SearchActions } from "./search_actions.js";
import { usePlace } from "./use_place.js";
import { useSearches } from "./use_searches.js";

const PAGE = 50;
const STATUSES = ["created", "preparing", "running", "draining", "paused", "completed", "cancelled", "failed"];

/** @param {{me: any}} props */
export function SearchList({ me }) {
  const { query } = usePlace();
  const filters = { status: query.status, name: query.name, trash: query.trash, limit: PAGE };
  const list = useSearches(filters);
  return html`
    <div class="stack">
      <div class="bar">
        <h1>${query.trash ? "Trash" : "Searches"}</h1>
        <div class="bar end">
          <label class="hidden-text" for="name-filter">Name contains</label>
          <input
            id="name-filter"
            type="search"
            placeholder="Name contains…"
            value=${query.name ?? ""}
            onInput=${(event) => setQuery({ name: event.target.value })}
          />
          <label class="hidden-text" for="status-filter">Status</label>
          <select
            id="status-filter"
            value=${query.status ?? ""}
            onChange=${(event) => setQuery({ status: event.target.value })}
          >
            <option value="">Any status</option>
            ${STATUSES.map(
              (status) => html`
                <option key=${status} value=${status}>${status}</option>
              `,
            )}
          </select>
          <button
            aria-pressed=${Boolean(query.trash)}
            onClick=${() => setQuery({ trash: query.trash ? "" : "true" })}
          >
            Trash
          </button>
          ${
            me.role !== "reader" &&
            html`
              <a class="button primary" href=${linkTo(["new"])}>New search</a>
            `
          }
        </div>
      </div>
      <${ProblemNotice} problem=${list.problem} retry=${list.reload} />
      ${
        list.items === null
          ? !list.problem &&
            html`
              <${Loading} />
            `
          : list.items.length
            ? html`
                <${SearchTable} list=${list} me=${me} />
              `
            : html`
                <${Nothing} query=${query} me=${me} />
              `
      }
      ${
        list.next &&
        html`
          <div class="bar"><button onClick=${list.more}>Load more</button></div>
        `
      }
    </div>
  `;
}

/** @param {{list: any, me: any}} props */
function SearchTable({ list, me }) {
  const everyProject = me.project === null || me.project === undefined;
  return html`
    <div class="panel scroll">
      <table class="searches">
        <caption class="hidden-text">Searches, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Search</th>
            ${
              everyProject &&
              html`
                <th scope="col" class="wide">Project</th>
              `
            }
            <th scope="col">Status</th>
            <th scope="col">Trials</th>
            <th scope="col" class="wide">Minimise</th>
            <th scope="col" class="wide">Bounds</th>
            <th scope="col" class="wide">Created</th>
            <th scope="col"><span class="hidden-text">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          ${list.items.map(
            (search) => html`
              <tr key=${search.search}>
                <td>
                  <a class="name" href=${linkTo(["searches", search.search])}>${search.name}</a>
                  <div class="muted small mono">${search.search}${search.kind === "dry_run" ? " · dry run" : ""}</div>
                </td>
                ${
                  everyProject &&
                  html`
                    <td class="wide">${search.project}</td>
                  `
                }
                <td><${StatusBadge} status=${search.status} intent=${search.intent} /></td>
                <td class="progress-cell">
                  <${TrialProgress} search=${search} />
                  <span class="small muted">${finished(search)} / ${search.budget}</span>
                </td>
                <td class="wide">${search.objectives.map(metricLabel).join(", ")}</td>
                <td class="wide"><${BoundsText} bounds=${search.bounds} /></td>
                <td class="wide nowrap muted">${ago(search.created_at)}</td>
                <td class="actions">
                  <${SearchActions} search=${search} me=${me} onChange=${list.replace} small=${true} />
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{query: Record<string, string>, me: any}} props */
function Nothing({ query, me }) {
  if (query.name || query.status)
    return html`<${Empty} title="No search matches">Change the name or the status above.</${Empty}>`;
  if (query.trash)
    return html`<${Empty} title="The trash is empty">Deleted searches stay here until they are pruned.</${Empty}>`;
  return html`<${Empty} title="No searches yet">
    Submit one here, or with <code>blocksmith submit SPEC</code>.
    ${
      me.role !== "reader" &&
      html`
        <div class="bar"><a class="button primary" href=${linkTo(["new"])}>New search</a></div>
      `
    }
  </${Empty}>`;
}
