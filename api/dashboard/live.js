/**
 * News of all visible searches: one stream per browser and key, shared by its tabs. The tab that holds the Web
 * Lock reads the stream and passes it on by BroadcastChannel; when it closes, the next one takes over. (An
 * HTTP/1.1 origin has six connections: one stream per tab would freeze the seventh tab.)
 *
 * News say only that a search changed and up to which event; whoever shows it asks for what it lacks. So a lost
 * message costs nothing: the next one, or a reconnection, leads to the same state.
 */

import { follow } from "./event_stream.js";
import { keyName } from "./session.js";

/** @typedef {{search: string, last_event: number, status: string}} News */

/** @type {Set<(news: News | null) => void>} */
const listeners = new Set();
/** @type {Set<() => void>} */
const watchers = new Set();
let connected = false;
/** @type {AbortController | null} */
let running = null;

/** @returns {boolean} Whether news arrive. */
export function isConnected() {
  return connected;
}

/**
 * Hear of changes; `null` means "connected again: anything may have changed".
 *
 * @param {(news: News | null) => void} listener
 * @returns {() => void} Stops listening.
 */
export function onNews(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param {() => void} watcher Called when the connection is lost or found. @returns {() => void} */
export function onConnection(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Start listening with the present key; a second call is a no-op. */
export function startLive() {
  if (running) return;
  running = new AbortController();
  const stop = running.signal;
  const name = `blocksmith.live.${keyName()}`;
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => {
    // A tab that joins asks the leader how things stand.
    if (data.ask) {
      if (leading) channel.postMessage({ connected });
    } else receive(data);
  };
  let leading = false;
  stop.addEventListener("abort", () => channel.close());
  channel.postMessage({ ask: true });
  const lead = async () => {
    leading = true;
    /** @param {{connected?: boolean, news?: News}} message */
    const tell = (message) => {
      if (!stop.aborted) {
        receive(message);
        channel.postMessage(message);
      }
    };
    await follow(
      "/v1/events",
      ({ event, data }) => {
        if (event === "search") tell({ news: data });
      },
      (state) => tell({ connected: state }),
      stop,
    );
  };
  // Browsers have Web Locks on secure origins and on loopback alone; elsewhere every tab reads its own stream.
  if (navigator.locks)
    navigator.locks.request(name, { signal: stop }, lead).catch(() => {}); // signed out while waiting
  else lead();
}

/** Stop listening, for instance because the key changes. */
export function stopLive() {
  running?.abort();
  running = null;
  connected = false;
}

/** @param {{connected?: boolean, news?: News}} message */
function receive({ connected: state, news }) {
  if (news) listeners.forEach((listener) => listener(news));
  if (state === undefined) return;
  const returned = state && !connected;
  connected = state;
  watchers.forEach((watcher) => watcher());
  if (returned) listeners.forEach((listener) => listener(null));
}
