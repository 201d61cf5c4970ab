/** A question before something that cannot be undone. */

import { html, useEffect, useRef } from "../vendor/preact-standalone.mjs";

/** @param {{title: string, confirm: string, onConfirm: () => void, onClose: () => void, children?: any}} props */
export function Confirm({ title, confirm, onConfirm, onClose, children }) {
  const dialog = useRef(/** @type {any} */ (null));
  useEffect(() => dialog.current.showModal(), []);
  return html`
    <dialog ref=${dialog} aria-labelledby="confirm-title" onClose=${onClose}>
      <h2 id="confirm-title">${title}</h2>
      ${children}
      <div class="bar">
        <button onClick=${onClose}>Keep</button>
        <button
          class="primary"
          onClick=${() => {
            onClose();
            onConfirm();
          }}
        >
          ${confirm}
        </button>
      </div>
    </dialog>
  `;
}
