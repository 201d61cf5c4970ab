/**
 * Everything the search page shows, loaded once and then kept up to date by deltas.
 *
 * What must be on screen at once (progress, points) is asked for at each news; what may lag (hypervolume, block
 * library, front, events) at most once a second.
 */

import { get, MOST_POINTS } from "./client.js";
import { onNews } from "./live.js";
import { TrialTable } from "./trial_table.js";

const EVENTS_KEPT = 200;
const SLOW_MS = 1000;

export class SearchModel {
  /** @param {string} id @param {() => void} changed Called after every change; at most once per frame. */
  constructor(id, changed) {
    this.id = id;
    this.trials = new TrialTable();
    /** @type {any} */ this.search = null;
    /** @type {any[]} */ this.versions = [];
    /** @type {any} */ this.library = null;
    /** @type {any[]} */ this.events = [];
    /** @type {any[]} */ this.exports = [];
    /** @type {Error | null} */ this.problem = null;
    /** Whether every trial that existed at the beginning is here. */
    this.complete = false;
    /** Changes when slow readers should ask again. */
    this.pulse = 0;
    this.lastEvent = 0;
    this.changed = changed;
    this.closed = false;
    this.busy = false;
    this.again = false;
    this.frame = 0;
    this.stale = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */ this.slow = undefined;
    this.unsubscribe = onNews((news) => {
      if (!news || (news.search === id && news.last_event > this.known)) this.refresh();
    });
  }

  /**
   * The event up to which all that is shown is known: search and points are asked for side by side, and the answer
   * that was given first may be the older one.
   *
   * @returns {number}
   */
  get known() {
    return Math.min(this.lastEvent, this.search?.last_event ?? 0);
  }

  /** Load everything: first what is in sight. @returns {Promise<void>} */
  open() {
    return this.round(async () => {
      await Promise.all([this.readSearch(), this.readBounds(), this.readPoints(), this.readLibrary()]);
      this.complete = true;
      this.show();
      await this.readLog();
    });
  }

  /** Ask for what changed. @returns {Promise<void>} */
  refresh() {
    return this.complete ? this.round(() => this.readChanges()) : this.open();
  }

  /**
   * One round at a time; calls that come meanwhile are answered by one more.
   *
   * @param {() => Promise<void>} read
   */
  async round(read) {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    try {
      await read();
      this.problem = null;
    } catch (problem) {
      this.problem = /** @type {Error} */ (problem);
    }
    this.busy = false;
    this.show();
    if (this.again && !this.closed) {
      this.again = false;
      this.refresh();
    }
  }

  async readChanges() {
    const before = this.lastEvent;
    await Promise.all([this.readSearch(), this.readPoints()]);
    if (this.lastEvent === before) return;
    this.slow ??= setTimeout(() => {
      this.slow = undefined;
      this.readSlow().catch(() => {});
    }, SLOW_MS);
  }

  /** Stop listening. */
  close() {
    this.closed = true;
    clearTimeout(this.slow);
    this.unsubscribe();
  }

  async readSearch() {
    const before = this.search?.bounds_version;
    this.search = await get(`/v1/searches/${this.id}`);
    if (before !== undefined && before !== this.search.bounds_version) await this.readBounds();
    this.show();
  }

  async readBounds() {
    const known = this.versions.length;
    this.versions = (await get(`/v1/searches/${this.id}/bounds`)).items;
    if (known && known < this.versions.length) this.pulse++;
    this.show();
  }

  async readPoints() {
    const known = this.lastEvent;
    for (let after = undefined; ;) {
      const answer = await get(`/v1/searches/${this.id}/points`, {
        after_event: known || undefined,
        after,
        limit: MOST_POINTS,
      });
      // Only the first answer's event counts: what changes while others are read comes again with the next delta.
      if (after === undefined) this.lastEvent = answer.last_event;
      if (answer.number.length || !this.trials.stages.length) this.trials.merge(answer);
      this.show();
      if (answer.next === null || this.closed) break;
      after = answer.next;
    }
  }

  async readLibrary() {
    this.library = await get(`/v1/searches/${this.id}/library`);
    this.show();
  }

  async readLog() {
    const newest = this.events.at(-1)?.id ?? 0;
    const [events, exports] = await Promise.all([
      this.readEvents(newest),
      get(`/v1/searches/${this.id}/exports`),
    ]);
    this.events = [...this.events, ...events].slice(-EVENTS_KEPT);
    this.exports = exports.items;
    this.show();
  }

  async readSlow() {
    this.pulse++;
    await Promise.all([this.readLibrary(), this.readLog()]);
  }

  /** @param {number} newest @returns {Promise<any[]>} Events after it; the latest ones alone at the beginning. */
  async readEvents(newest) {
    const after = Math.max(newest, this.search.last_event - EVENTS_KEPT);
    return (await get(`/v1/searches/${this.id}/events`, { after: after || undefined, limit: EVENTS_KEPT })).items;
  }

  /** Draw once per frame, however often this is called; news at once, and what comes with them in the next frame. */
  show() {
    this.stale = true;
    if (this.closed || this.frame) return;
    if (this.complete) this.draw();
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.stale) this.draw();
    });
  }

  draw() {
    this.stale = false;
    if (!this.closed) this.changed();
  }
}
