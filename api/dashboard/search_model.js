/**
 * Everything the search page shows, loaded once and then kept up to date by deltas.
 *
 * What must be on screen at once (progress, points) is asked for at each news; what may lag (hypervolume, block
 * library, front, events) at most once a second.
 */

import { get } from "./client.js";
import { onNews } from "./live.js";
import { TrialTable } from "./trial_table.js";

const CHUNK = 1000;
const EVENTS_KEPT = 200;
const SLOW_MS = 1000;
const BETWEEN_CHUNKS_MS = 400;

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
    /** @type {ReturnType<typeof setTimeout> | undefined} */ this.slow = undefined;
    this.unsubscribe = onNews((news) => {
      if (!news || (news.search === id && news.last_event > this.lastEvent)) this.refresh();
    });
  }

  /** Load everything. @returns {Promise<void>} */
  async open() {
    try {
      await Promise.all([this.readSearch(), this.readBounds(), this.readPoints(), this.readSlow()]);
      this.problem = null;
    } catch (problem) {
      this.problem = /** @type {Error} */ (problem);
    }
    this.complete = this.problem === null;
    this.show();
  }

  /** Ask for what changed; calls that come meanwhile are answered by one more round. */
  async refresh() {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    try {
      if (!this.complete) await this.open();
      else await Promise.all([this.readSearch(), this.readPoints()]);
      this.problem = null;
      this.slow ??= setTimeout(() => {
        this.slow = undefined;
        this.readSlow().catch(() => {});
      }, SLOW_MS);
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
    this.versions = (await get(`/v1/searches/${this.id}/bounds`)).items;
    this.show();
  }

  async readPoints() {
    const known = this.lastEvent;
    let shown = 0;
    for (let after = undefined; ;) {
      const chunk = await get(`/v1/searches/${this.id}/points`, {
        after_event: known || undefined,
        after,
        limit: CHUNK,
      });
      // Only the first chunk's event counts: what changes while the others are read comes again with the next delta.
      if (after === undefined) this.lastEvent = chunk.last_event;
      if (chunk.number.length || !this.trials.stages.length) this.trials.merge(chunk);
      // The first thousand at once, then now and then: drawing ten thousand points costs more than reading a chunk.
      if (after === undefined || performance.now() - shown > BETWEEN_CHUNKS_MS) {
        this.show();
        shown = performance.now();
      }
      if (chunk.next === null || this.closed) break;
      after = chunk.next;
    }
    this.show();
  }

  async readSlow() {
    const newest = this.events.at(-1)?.id ?? 0;
    const [library, events, exports] = await Promise.all([
      get(`/v1/searches/${this.id}/library`),
      this.readEvents(newest),
      get(`/v1/searches/${this.id}/exports`),
    ]);
    this.library = library;
    this.events = [...this.events, ...events].slice(-EVENTS_KEPT);
    this.exports = exports.items;
    this.pulse++;
    this.show();
  }

  /** @param {number} newest @returns {Promise<any[]>} Events after it; the latest ones alone at the beginning. */
  async readEvents(newest) {
    const { last_event: last } = this.search ?? (await get(`/v1/searches/${this.id}`));
    const after = Math.max(newest, last - EVENTS_KEPT);
    return (await get(`/v1/searches/${this.id}/events`, { after: after || undefined, limit: EVENTS_KEPT })).items;
  }

  /** Draw in the next frame, however often this is called before it. */
  show() {
    if (this.closed || this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.closed) this.changed();
    });
  }
}
