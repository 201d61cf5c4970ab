/** Which trials the table shows, and in which order. */

/**
 * @param {string} text Words; a trial matches when each occurs in its number, status (`stopped` for
 *   what was stopped early), origin or architecture.
 * @param {import("../trial_table.js").TrialTable} trials
 * @returns {(position: number) => boolean}
 */
export function matcher(text, trials) {
  const words = text.toLowerCase().replaceAll("=", " ").split(/\s+/).filter(Boolean);
  if (!words.length) return () => true;
  return (i) => {
    const architecture = Object.entries(trials.architecture(i))
      .map(([stage, variant]) => `${stage} ${variant}`)
      .join(" ");
    const status = trials.share[i] < 1 ? `${trials.status[i]} stopped` : trials.status[i];
    const hay = ` ${trials.number[i]} ${status} ${trials.origin[i]} ${architecture} `.toLowerCase();
    // "e1 ra" as a pair means that block and not any RA elsewhere.
    return words.length > 1 && hay.includes(` ${words.join(" ")} `)
      ? true
      : words.every((word) => hay.includes(word)) && !isBlock(words, trials);
  };
}

/**
 * @param {string[]} words
 * @param {import("../trial_table.js").TrialTable} trials Whether the words name a stage and one of its blocks.
 */
function isBlock(words, trials) {
  if (words.length !== 2) return false;
  const stage = trials.stages.find((one) => one.toLowerCase() === words[0]);
  return stage !== undefined && trials.variants[stage].some((variant) => variant.toLowerCase() === words[1]);
}

/**
 * @param {import("../trial_table.js").TrialTable} trials
 * @param {import("../analysis.js").Analysis} analysis
 * @param {{by: string, down: boolean}} order
 * @param {(position: number) => boolean} wanted
 * @returns {number[]} Positions; unmeasured ones always come last.
 */
export function sortedPositions(trials, analysis, { by, down }, wanted) {
  const positions = [];
  for (let i = 0; i < trials.length; i++) if (wanted(i)) positions.push(i);
  const value = valueOf(trials, analysis, by);
  const sign = down ? -1 : 1;
  return positions.sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    const [noLeft, noRight] = [isMissing(left), isMissing(right)];
    if (noLeft || noRight) return Number(noLeft) - Number(noRight) || trials.number[a] - trials.number[b];
    return left < right ? -sign : left > right ? sign : sign * (trials.number[a] - trials.number[b]);
  });
}

/** @returns {(position: number) => any} */
function valueOf(trials, analysis, by) {
  if (by === "number") return (i) => trials.number[i];
  if (by === "status") return (i) => trials.status[i];
  if (by === "origin") return (i) => trials.origin[i];
  if (by === "violation") return (i) => analysis.violation[i];
  return (i) => trials.metrics[by]?.mean[i];
}

/** @param {any} value */
function isMissing(value) {
  return value === null || value === undefined || Number.isNaN(value);
}
