/**
 * Server-sent events through `fetch`, because `EventSource` cannot carry a key. Reconnects for ever, with
 * back-off, and asks for what it missed with `Last-Event-ID`.
 */

import { authorization } from "./client.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** The server sends a heartbeat every 10 s; after this long in silence the connection is taken for dead. */
const SILENCE_MS = 25_000;

/** @typedef {{id: string, event: string, data: any}} ServerEvent */

/**
 * Cut complete events off a text. Comments (heartbeats) are dropped; what is incomplete is the rest.
 *
 * @param {string} text
 * @returns {{events: ServerEvent[], rest: string}}
 */
export function parseEvents(text) {
  const blocks = text.replaceAll("\r\n", "\n").split("\n\n");
  const rest = blocks.pop() ?? "";
  const events = blocks.map(parseBlock).filter((event) => event !== null);
  return { events, rest };
}

/** @param {string} block @returns {ServerEvent | null} */
function parseBlock(block) {
  const event = { id: "", event: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "data") event.data += (event.data && "\n") + value;
    else if (field === "id" || field === "event") event[field] = value;
  }
  return event.data ? { ...event, data: JSON.parse(event.data) } : null;
}

/**
 * @param {string} url
 * @param {(event: ServerEvent) => void} onEvent
 * @param {(connected: boolean) => void} onConnection
 * @param {AbortSignal} stop
 */
export async function follow(url, onEvent, onConnection, stop) {
  let lastId = "";
  let wait = FIRST_WAIT_MS;
  while (!stop.aborted) {
    try {
      await readOnce(
        url,
        lastId,
        stop,
        () => {
          wait = FIRST_WAIT_MS;
          onConnection(true);
        },
        (event) => {
          lastId = event.id || lastId;
          onEvent(event);
        },
      );
    } catch {
      // Whatever went wrong, the answer is the same: say so, wait, connect again.
    }
    if (stop.aborted) return;
    onConnection(false);
    await pause(wait, stop);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/**
 * @param {string} url @param {string} lastId @param {AbortSignal} stop
 * @param {() => void} onOpen @param {(event: ServerEvent) => void} onEvent
 */
async function readOnce(url, lastId, stop, onOpen, onEvent) {
  const silence = new AbortController();
  let watch = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const headers = {
      Accept: "text/event-stream",
      ...authorization(),
      ...(lastId ? { "Last-Event-ID": lastId } : {}),
    };
    const response = await fetch(url, {
      headers,
      signal: AbortSignal.any([stop, silence.signal]),
      cache: "no-store",
    });
    if (!response.ok || !response.body) throw new Error(`refused: ${response.status}`);
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(() => silence.abort(), SILENCE_MS);
      const { events, rest } = parseEvents(text + value);
      text = rest;
      events.forEach(onEvent);
    }
  } finally {
    clearTimeout(watch);
  }
}

/** @param {number} ms @param {AbortSignal} stop @returns {Promise<void>} */
function pause(ms, stop) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
    addEventListener("online", () => resolve(), { once: true, signal: stop });
  });
}
