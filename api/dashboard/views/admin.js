/** Who may use how much, who did what, and which machines work: tables for those whose role allows them. */

import { duration } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { setQuery } from "../router.js";
import { html } from "../vendor/preact-standalone.mjs";
import { AuditPanel } from "./audit_panel.js";
import { KeysPanel } from "./keys_panel.js";
import { ProjectsPanel } from "./projects_panel.js";
import { useFetched } from "./use_fetched.js";
import { usePlace } from "./use_place.js";

/** @param {{me: any}} props */
export function Admin({ me }) {
  const { query } = usePlace();
  const projects = useFetched("/v1/projects");
  const project = query.project ?? me.project ?? projects.value?.items[0]?.project ?? "";
  return html`
    <div class="stack">
      <h1>Administration</h1>
      <${ClusterPanel} />
      <${ProblemNotice} problem=${projects.problem} retry=${projects.reload} />
      <${ProjectsPanel} me=${me} projects=${projects} />
      ${me.role === "admin" && !me.project && html`<${KeysPanel} project=${null} me=${me} />`}
      ${
        me.role === "admin" &&
        project &&
        html`
          <div class="bar">
            <label for="admin-project">Keys and audit of</label>
            <select
              id="admin-project"
              value=${project}
              onChange=${(event) => setQuery({ project: event.target.value })}
            >
              ${(projects.value?.items ?? []).map(
                (one) => html`
                  <option key=${one.project} value=${one.project} selected=${one.project === project}>
                    ${one.project}
                  </option>
                `,
              )}
            </select>
          </div>
          <${KeysPanel} key=${`keys ${project}`} project=${project} me=${me} />
          <${AuditPanel} key=${`audit ${project}`} project=${project} />
        `
      }
    </div>
  `;
}

/** What works at this moment. */
function ClusterPanel() {
  const { value, problem, reload } = useFetched("/v1/cluster");
  return html`
    <section class="panel" aria-labelledby="cluster-title">
      <header>
        <h2 id="cluster-title">Workers</h2>
        ${
          value &&
          html`
            <span class="muted small">
              ${value.busy} of ${value.slots} slots busy, ${value.queued} waiting,
              ${` ${value.coordinators} ${value.coordinators === 1 ? "coordinator" : "coordinators"}`}
            </span>
          `
        }
        <div class="end"><button class="small" onClick=${reload}>Refresh</button></div>
      </header>
      <${ProblemNotice} problem=${problem} />
      ${
        value?.coordinators === 0 &&
        html`
          <p class="body notice bad">
            No coordinator is alive: searches wait. Start one with${" "}
            <code>blocksmith coordinator</code>.
          </p>
        `
      }
      ${
        value?.processes.length > 0 &&
        html`
          <div class="scroll" tabindex="0">
            <table>
              <caption class="hidden-text">Processes alive</caption>
              <thead>
                <tr>
                  <th scope="col">Process</th>
                  <th scope="col">Kind</th>
                  <th scope="col">Host</th>
                  <th scope="col" class="number">Sign of life</th>
                  <th scope="col">State</th>
                </tr>
              </thead>
              <tbody>
                ${value.processes.map(
                  (one) => html`
                    <tr key=${one.process}>
                      <td class="mono">${one.process}</td>
                      <td>${one.kind}</td>
                      <td>${one.host}</td>
                      <td class="number">${duration(one.age_s)} ago</td>
                      <td class="small">
                        ${stateText(one.state)}
                      </td>
                    </tr>
                  `,
                )}
              </tbody>
            </table>
          </div>
        `
      }
    </section>
  `;
}

/** @param {Record<string, any>} state What a process says of itself. @returns {string} Without what is empty. */
function stateText(state) {
  const told = Object.entries(state).map(([name, value]) => {
    if (Array.isArray(value)) return `${name} ${value.length}`;
    if (value === null || typeof value !== "object") return value === false ? "" : `${name} ${value}`;
    const inner = stateText(value);
    return inner && `${name} (${inner})`;
  });
  return told.filter(Boolean).join(" · ");
}
