/** The only way to the API: bearer key, JSON in, JSON or a `Problem` out. */

import { currentKey } from "./session.js";

/** The first check of a spec on a cold server builds the teacher. */
const PATIENCE_MS = 60_000;
const NO_HURRY = new AbortController().signal;

/** As many trials as the server gives in one answer. */
export const MOST_POINTS = 10_000;

/** Answers that were asked for before anybody needed them, by key and address; each is taken once. */
/** @type {Map<string, Promise<Response>>} */
const ahead = new Map();

/**
 * A refusal by the API (RFC 9457), or the absence of an answer (`status` 0).
 *
 * @typedef {{pointer: string, reason: string, nearest?: string}} Fault
 */
export class Problem extends Error {
  /**
   * @param {{status?: number, code?: string, title?: string, detail?: string, hint?: string, errors?: Fault[]}}
   *   document
   */
  constructor(document) {
    super(document.detail || document.title || "The request failed.");
    this.status = document.status ?? 0;
    this.code = document.code ?? "";
    this.hint = document.hint ?? "";
    /** @type {Fault[]} */
    this.faults = document.errors ?? [];
  }
}

/** @param {string} path @param {Record<string, unknown>} [query] */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** @returns {Record<string, string>} */
export function authorization() {
  const key = currentKey();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/**
 * @param {string} method
 * @param {string} url
 * @param {{body?: BodyInit, headers?: Record<string, string>, patience?: AbortSignal}} [given]
 * @returns {Promise<Response>} A successful response.
 * @throws {Problem}
 */
async function send(method, url, { body, headers, patience = AbortSignal.timeout(PATIENCE_MS) } = {}) {
  let response;
  try {
    response = await fetch(url, {
      method,
      body,
      headers: { Accept: "application/json", ...authorization(), ...headers },
      signal: patience,
      cache: "no-store",
    });
  } catch {
    throw new Problem({
      code: "disconnected",
      detail: "The server did not answer.",
      hint: "The page tries again by itself. Is `blocksmith up` running?",
    });
  }
  if (response.ok) return response;
  throw new Problem({
    status: response.status,
    ...(await response.json().catch(() => ({ title: response.statusText }))),
  });
}

/** @param {string} path @param {Record<string, unknown>} [query] @returns {Promise<any>} */
export async function get(path, query) {
  const url = address(path, query);
  const name = `${currentKey()} ${url}`;
  const asked = ahead.get(name);
  ahead.delete(name);
  return (await (asked ?? send("GET", url))).json();
}

/** Ask now for what `get` will be asked for soon. @param {string} path @param {Record<string, unknown>} [query] */
export function askAhead(path, query) {
  const url = address(path, query);
  const asked = send("GET", url);
  asked.catch(() => {}); // told to whoever takes it
  ahead.set(`${currentKey()} ${url}`, asked);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [document]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>} The answer, or null when there is none.
 */
export async function change(method, path, document, headers = {}) {
  const body = document === undefined ? undefined : JSON.stringify(document);
  const typed = body === undefined ? headers : { "Content-Type": "application/json", ...headers };
  const response = await send(method, path, { body, headers: typed });
  return response.status === 204 ? null : response.json();
}

/** Save a protected file under a name: a link cannot carry the key. @param {string} path @param {string} name */
export async function download(path, name) {
  const blob = await (await send("GET", path, { headers: { Accept: "*/*" }, patience: NO_HURRY })).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
