/** Light or dark: as the system says, until the user says otherwise. */

import { html, useEffect, useState } from "../vendor/preact-standalone.mjs";

const STORED = "blocksmith.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
/** @type {Set<(theme: string) => void>} */
const listeners = new Set();

/** @returns {string} `light` or `dark`. */
function theme() {
  return localStorage.getItem(STORED) ?? (system.matches ? "dark" : "light");
}

/** Put the theme on the document, and tell the charts. */
export function applyTheme() {
  document.documentElement.dataset.theme = theme();
  listeners.forEach((listener) => listener(theme()));
}
system.addEventListener("change", applyTheme);

/** @returns {string} The theme in force; renders again when it changes. */
export function useTheme() {
  const [present, setPresent] = useState(theme);
  useEffect(() => {
    listeners.add(setPresent);
    return () => listeners.delete(setPresent);
  }, []);
  return present;
}

/**
 * Colours for a canvas, which cannot see style sheets.
 *
 * @returns {Record<string, string>} By custom property, without dashes.
 */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = [
    "ink",
    "muted",
    "line",
    "line-strong",
    "panel",
    "accent",
    "feasible",
    "infeasible",
    "best",
    "knee",
    "bound",
    "front",
  ];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** The button that switches. */
export function ThemeButton() {
  const present = useTheme();
  const other = present === "dark" ? "light" : "dark";
  const change = () => {
    localStorage.setItem(STORED, other);
    applyTheme();
  };
  return html`
    <button
      class="quiet"
      onClick=${change}
      aria-label="Switch to the ${other} theme"
      title="Switch to the ${other} theme"
    >
      <svg width="15" height="15" viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />
      </svg>
    </button>
  `;
}
