/**
 * The trials of one search as columns, kept up to date by chunks and deltas of `/points`. Columns rather than
 * rows: 10,000 trials are sorted, classified and drawn within a frame.
 */

/** @typedef {import("./front.js").Column} Column */

export class TrialTable {
  constructor() {
    /** @type {number[]} */ this.number = [];
    /** @type {string[]} */ this.status = [];
    /** @type {string[]} */ this.origin = [];
    /** @type {number[]} */ this.boundsVersion = [];
    /** Of the hold-out samples, how many were seen. @type {number[]} */ this.share = [];
    /** @type {number[][]} */ this.codes = [];
    /** @type {Record<string, Column>} */ this.metrics = {};
    /** @type {string[]} */ this.stages = [];
    /** @type {Record<string, string[]>} */ this.variants = {};
    /** Changes with every merge: what derived values depend on. */
    this.revision = 0;
    /** @type {Map<number, number>} */ this.positions = new Map();
  }

  /** @returns {number} How many trials are here. */
  get length() {
    return this.number.length;
  }

  /** @param {number} number @returns {number} Position of a trial, -1 when it is not here. */
  position(number) {
    return this.positions.get(number) ?? -1;
  }

  /** Take in an answer of `/points`: new trials are appended, known ones replaced. @param {any} chunk */
  merge(chunk) {
    this.stages = chunk.stages;
    this.variants = chunk.variants;
    for (const [name, { unit }] of Object.entries(chunk.metrics)) this.metrics[name] ??= this.emptyColumn(unit);
    chunk.number.forEach((number, from) => {
      const known = this.positions.get(number);
      const to = known ?? this.length;
      if (known === undefined) this.positions.set(number, to);
      this.number[to] = number;
      this.status[to] = chunk.status[from];
      this.origin[to] = chunk.origin[from];
      this.boundsVersion[to] = chunk.bounds_version[from];
      this.share[to] = chunk.share[from];
      this.codes[to] = chunk.codes[from];
      for (const [name, column] of Object.entries(this.metrics)) {
        column.mean[to] = chunk.metrics[name]?.mean[from] ?? null;
        column.sem[to] = chunk.metrics[name]?.sem[from] ?? null;
      }
    });
    this.revision++;
  }

  /** @param {string} metric @returns {(number | null)[]} Its means; all null while nobody has measured it. */
  means(metric) {
    return this.metrics[metric]?.mean ?? this.number.map(() => null);
  }

  /** @param {string} metric @param {number} position @returns {{mean: number, sem: number, unit: string} | null} */
  measurement(metric, position) {
    const { mean = [], sem = [], unit = "1" } = this.metrics[metric] ?? {};
    const value = mean[position] ?? null;
    return value === null ? null : { mean: value, sem: sem[position] ?? 0, unit };
  }

  /** @param {number} position @returns {Record<string, string>} Variant by stage. */
  architecture(position) {
    return Object.fromEntries(this.stages.map((stage, s) => [stage, this.variants[stage][this.codes[position][s]]]));
  }

  /** @param {number} position @param {string} stage @param {string} variant @returns {boolean} */
  uses(position, stage, variant) {
    const s = this.stages.indexOf(stage);
    return s >= 0 && this.variants[stage][this.codes[position][s]] === variant;
  }

  /** @param {string} unit @returns {Column} */
  emptyColumn(unit) {
    return { unit, mean: this.number.map(() => null), sem: this.number.map(() => null) };
  }
}
