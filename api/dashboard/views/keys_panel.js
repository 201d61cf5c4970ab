/** Keys of a project or of the whole installation: made, listed, revoked. A secret is shown once. */

import { change } from "../client.js";
import { moment } from "../format.js";
import { ProblemNotice } from "../parts/notice.js";
import { html, useState } from "../vendor/preact-standalone.mjs";
import { useFetched } from "./use_fetched.js";

const ROLES = ["reader", "submitter", "admin"];

/** @param {{project: string | null, me: any}} props Without a project: keys that belong to none. */
export function KeysPanel({ project, me }) {
  const path = project ? `/v1/projects/${project}/keys` : "/v1/keys";
  const whose = project ? `Keys of ${project}` : "Keys of the whole installation";
  const id = project ? "keys" : "installation-keys";
  const keys = useFetched(path);
  // The whole installation's list has every project's too; those stand with their projects.
  const listed = keys.value?.items.filter((key) => key.project === project) ?? [];
  const [name, setName] = useState("");
  const [role, setRole] = useState("submitter");
  const [made, setMade] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const act = async (work) => {
    setProblem(null);
    try {
      await work();
      keys.reload();
    } catch (error) {
      setProblem(error);
    }
  };
  const create = (event) => {
    event.preventDefault();
    if (name)
      act(async () => {
        setMade(await change("POST", path, { name, role }));
        setName("");
      });
  };
  return html`
    <section class="panel" aria-labelledby="${id}-title">
      <header>
        <h2 id="${id}-title">${whose}</h2>
        <form class="end" onSubmit=${create}>
          <label class="hidden-text" for="${id}-name">Name of a new key</label>
          <input
            id="${id}-name"
            placeholder="What is it for?"
            value=${name}
            onInput=${(event) => setName(event.target.value)}
          />
          <label class="hidden-text" for="${id}-role">Role</label>
          <select id="${id}-role" value=${role} onChange=${(event) => setRole(event.target.value)}>
            ${ROLES.map(
              (one) => html`
                <option key=${one} value=${one} selected=${one === role}>${one}</option>
              `,
            )}
          </select>
          <button class="small" type="submit">Create key</button>
        </form>
      </header>
      <${ProblemNotice} problem=${problem ?? keys.problem} />
      ${
        made &&
        html`
          <div class="body">
            <div class="notice good">
              <p>
                Key <strong>${made.name}</strong>. Copy it now: it is shown this once.
              </p>
              <p><code class="secret">${made.token}</code></p>
              <p><button class="small" onClick=${() => setMade(null)}>Done</button></p>
            </div>
          </div>
        `
      }
      <div class="scroll short" tabindex="0">
        <table>
          <caption class="hidden-text">${whose}</caption>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Id</th>
              <th scope="col">Role</th>
              <th scope="col">Created</th>
              <th scope="col">State</th>
              <th scope="col"><span class="hidden-text">Actions</span></th>
            </tr>
          </thead>
          <tbody>
            ${listed.map(
              (key) => html`
                <tr key=${key.key}>
                  <td>${key.name}</td>
                  <td class="mono">
                    ${key.key}${
                      key.key === me.key &&
                      html`${" "}<span class="badge">yours</span>`
                    }
                  </td>
                  <td>${key.role}</td>
                  <td class="nowrap">${moment(key.created_at)}</td>
                  <td>
                    ${key.revoked_at ? "revoked" : key.expires_at ? `until ${moment(key.expires_at)}` : "valid"}
                  </td>
                  <td class="actions">
                    ${
                      !key.revoked_at &&
                      html`
                        <button
                          class="small"
                          aria-label="Revoke ${key.name}"
                          onClick=${() => act(() => change("DELETE", `/v1/keys/${key.key}`))}
                        >
                          Revoke
                        </button>
                      `
                    }
                  </td>
                </tr>
              `,
            )}
          </tbody>
        </table>
        ${keys.value && listed.length === 0 && html`<p class="body muted">None yet.</p>`}
      </div>
    </section>
  `;
}
