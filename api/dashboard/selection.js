/**
 * The one selection that plot, table and heat-map share. It stands in the address: single trials as
 * `sel=3,9`, all trials with a block as `block=E1:RA`.
 */

import { setQuery } from "./router.js";

/**
 * @param {Record<string, string>} query
 * @param {import("./trial_table.js").TrialTable} trials
 * @returns {Set<number> | null} Numbers; null when nothing is selected.
 */
export function selectedNumbers(query, trials) {
  if (query.sel) return new Set(query.sel.split(",").map(Number));
  if (!query.block) return null;
  const [stage, variant] = query.block.split(":");
  return new Set(trials.number.filter((_, position) => trials.uses(position, stage, variant)));
}

/**
 * Select one trial, or with `add` join it to the selection; a selected one is let go.
 *
 * @param {Record<string, string>} query
 * @param {number} number
 * @param {boolean} add
 */
export function selectTrial(query, number, add) {
  const before = query.sel ? query.sel.split(",").map(Number) : [];
  const without = before.filter((one) => one !== number);
  const wasSelected = without.length < before.length;
  const after = add
    ? wasSelected
      ? without
      : [...before, number]
    : wasSelected && before.length === 1
      ? []
      : [number];
  setQuery({ sel: after.join(","), block: "" });
}

/**
 * Select every trial with a block; a selected one is let go.
 *
 * @param {Record<string, string>} query
 * @param {string} stage
 * @param {string} variant
 */
export function selectBlock(query, stage, variant) {
  const block = `${stage}:${variant}`;
  setQuery({ sel: "", block: query.block === block ? "" : block });
}

/** Let everything go. */
export function clearSelection() {
  setQuery({ sel: "", block: "" });
}
