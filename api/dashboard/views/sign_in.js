/** Asks for a key. */

import { ProblemNotice } from "../parts/notice.js";
import { keepKey } from "../session.js";
import { html, useEffect, useRef, useState } from "../vendor/preact-standalone.mjs";

/** @param {{problem: Error | null, onKey: () => void}} props */
export function SignIn({ problem, onKey }) {
  const [key, setKey] = useState("");
  const field = useRef(/** @type {any} */ (null));
  useEffect(() => field.current.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    if (!key.trim()) return;
    keepKey(key);
    onKey();
  };
  return html`
    <main class="sign-in stack">
      <h1>Blocksmith</h1>
      <form class="panel" onSubmit=${submit}>
        <div class="body stack">
          <${ProblemNotice} problem=${problem} />
          <div class="field">
            <label for="key">API key</label>
            <input
              id="key"
              ref=${field}
              type="password"
              autocomplete="off"
              spellcheck="false"
              placeholder="bsk_…"
              value=${key}
              onInput=${(event) => setKey(event.target.value)}
            />
            <span class="hint">
              Kept in this tab only. <code>blocksmith up</code> prints a link that signs in; an administrator makes keys
              with <code>blocksmith key create</code>.
            </span>
          </div>
          <div><button class="primary" type="submit">Sign in</button></div>
        </div>
      </form>
    </main>
  `;
}
