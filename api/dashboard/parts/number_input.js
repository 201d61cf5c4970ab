/** A number that may be half typed: while it has the focus, the text is the user's and nobody rewrites it. */

import { html, useState } from "../vendor/preact-standalone.mjs";

/**
 * @param {any} props `value` as it stands, `onText` hears of every change; all others go to the input.
 */
export function NumberInput({ value, onText, ...others }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const shown = value === undefined || value === null ? "" : String(value);
  return html`
    <input
      class="number"
      inputmode="decimal"
      autocomplete="off"
      ...${others}
      value=${text ?? shown}
      onFocus=${(event) => setText(event.target.value)}
      onBlur=${() => setText(null)}
      onInput=${(event) => {
        setText(event.target.value);
        onText(event.target.value);
      }}
    />
  `;
}

/**
 * @param {string} text
 * @returns {number | string | undefined} A number; nothing for nothing; else the text, for the server to judge.
 */
export function readNumber(text) {
  if (text.trim() === "") return undefined;
  return Number.isNaN(Number(text)) ? text : Number(text);
}
