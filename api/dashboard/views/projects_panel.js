/** Projects with what they use of what they may. */

import { change } from "../client.js";
import { bytes, number } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { html, useState } from "../vendor/preact-standalone.mjs";

const QUOTAS = [
  { field: "trials", label: "Trials", used: "trials_reserved", format: number },
  { field: "parallelism", label: "Jobs at once", used: "running", format: number },
  { field: "storage_bytes", label: "Storage", used: "storage_bytes", format: bytes },
];

/** @param {{me: any, projects: any}} props */
export function ProjectsPanel({ me, projects }) {
  const [editing, setEditing] = useState("");
  const [name, setName] = useState("");
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const owner = me.role === "admin" && !me.project;
  const act = async (work) => {
    setProblem(null);
    try {
      await work();
      setEditing("");
      setName("");
      projects.reload();
    } catch (error) {
      setProblem(error);
    }
  };
  const create = (event) => {
    event.preventDefault();
    if (name) act(() => change("POST", "/v1/projects", { project: name }));
  };
  return html`
    <section class="panel" aria-labelledby="projects-title">
      <header>
        <h2 id="projects-title">Projects</h2>
        ${
          owner &&
          html`
            <form class="end" onSubmit=${create}>
              <label class="hidden-text" for="new-project">Name of a new project</label>
              <input
                id="new-project"
                placeholder="new-project"
                value=${name}
                onInput=${(event) => setName(event.target.value)}
              />
              <button class="small" type="submit">Create</button>
            </form>
          `
        }
      </header>
      <${ProblemNotice} problem=${problem} />
      <div class="scroll" tabindex="0">
        <table>
          <caption class="hidden-text">Projects and their use</caption>
          <thead>
            <tr>
              <th scope="col">Project</th>
              <th scope="col" class="number">Searches</th>
              ${QUOTAS.map(
                (one) => html`
                  <th key=${one.field} scope="col" class="number">${one.label}</th>
                `,
              )}${
                owner &&
                html`
                  <th scope="col"><span class="hidden-text">Actions</span></th>
                `
              }
            </tr>
          </thead>
          <tbody>
            ${(projects.value?.items ?? []).map((one) =>
              editing === one.project
                ? html`
                    <${QuotaRow}
                      key=${one.project}
                      project=${one}
                      onSave=${(quota) => act(() => change("PATCH", `/v1/projects/${one.project}`, quota))}
                      onClose=${() => setEditing("")}
                    />
                  `
                : html`
                    <tr key=${one.project}>
                      <td><strong>${one.project}</strong></td>
                      <td class="number">${one.usage.searches}</td>
                      ${QUOTAS.map(
                        ({ field, used, format }) => html`
                          <td key=${field} class="number">
                            ${format(one.usage[used])}
                            <span class="muted">
                              ${" of "}${one.quota[field] === null ? "∞" : format(one.quota[field])}
                            </span>
                          </td>
                        `,
                      )}
                      ${
                        owner &&
                        html`
                          <td class="actions">
                            <button
                              class="small"
                              aria-label="Change the quota of ${one.project}"
                              onClick=${() => setEditing(one.project)}
                            >
                              Quota
                            </button>
                          </td>
                        `
                      }
                    </tr>
                  `,
            )}
          </tbody>
        </table>
      </div>
    </section>
  `;
}

/** @param {{project: any, onSave: (quota: any) => void, onClose: () => void}} props Empty fields mean no limit. */
function QuotaRow({ project, onSave, onClose }) {
  const [texts, setTexts] = useState(
    Object.fromEntries(
      QUOTAS.map(({ field }) => [field, project.quota[field] === null ? "" : String(project.quota[field])]),
    ),
  );
  const save = () =>
    onSave(
      Object.fromEntries(
        QUOTAS.map(({ field }) => [field, texts[field].trim() === "" ? null : Number(texts[field])]),
      ),
    );
  return html`
    <tr>
      <td><strong>${project.project}</strong></td>
      <td />
      ${QUOTAS.map(
        ({ field, label }) => html`
          <td key=${field} class="number">
            <input
              class="number"
              inputmode="numeric"
              aria-label="${label} of ${project.project}"
              placeholder="no limit"
              value=${texts[field]}
              onInput=${(event) => setTexts({ ...texts, [field]: event.target.value })}
            />
          </td>
        `,
      )}
      <td class="actions">
        <span class="bar">
          <button class="small primary" onClick=${save}>Save</button>
          <button class="small" onClick=${onClose}>Keep</button>
        </span>
      </td>
    </tr>
  `;
}
