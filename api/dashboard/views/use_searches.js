/** Pages of searches, kept up to date: those on screen are read again when they change, new ones are let in. */

import { get } from "../client.js";
import { onNews } from "../live.js";
import { useEffect, useRef, useState } from "../vendor/preact-standalone.mjs";

/** Typing asks once. */
const TYPING_MS = 150;

/**
 * @param {Record<string, any>} filters As the server takes them: `status`, `name`, `trash`, `limit`.
 * @returns {{items: any[] | null, next: string | null, problem: any, reload: () => any, more: () => any,
 *   replace: (search: any) => void}} `items` is null until the first answer.
 */
export function useSearches(filters) {
  const [items, setItems] = useState(/** @type {any[] | null} */ (null));
  const [next, setNext] = useState(/** @type {string | null} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const latest = useRef({});
  latest.current = { items: items ?? [], next };
  const wanted = JSON.stringify(filters);

  const reload = () =>
    get("/v1/searches", filters).then((page) => {
      setItems(page.items);
      setNext(page.next);
      setProblem(null);
    }, setProblem);
  const more = () =>
    get("/v1/searches", { ...filters, cursor: next }).then((page) => {
      setItems((before) => [...(before ?? []), ...page.items]);
      setNext(page.next);
    }, setProblem);
  const replace = (search) => setItems((before) => withSearch(before ?? [], search, filters, latest.current.next));

  useEffect(() => {
    const timer = setTimeout(reload, items === null ? 0 : TYPING_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  useEffect(() => {
    // Looked at once and found to be further down: of no interest until the user asks for more.
    const elsewhere = new Set();
    return eachFrame(async (ids) => {
      if (ids.includes(null)) return reload();
      await Promise.all(
        ids
          .filter((id) => !elsewhere.has(id))
          .map((id) =>
            get(`/v1/searches/${id}`).then(
              (search) => {
                const shown = latest.current.items.some((one) => one.search === id);
                if (!shown && !isOnLoadedPages(search, latest.current)) elsewhere.add(id);
                replace(search);
              },
              () => {}, // gone, or not ours to see
            ),
          ),
      );
      return undefined;
    });
  }, [wanted, next]);
  return { items, next, problem, reload, more, replace };
}

/**
 * News, gathered until the previous ones have been dealt with, at most once per frame.
 *
 * @param {(ids: (string | null)[]) => Promise<any>} deal Ids of changed searches; null when any may have changed.
 * @returns {() => void} Stops listening.
 */
function eachFrame(deal) {
  const pending = new Set();
  let scheduled = false;
  const schedule = () => {
    scheduled = true;
    requestAnimationFrame(async () => {
      const ids = [...pending];
      pending.clear();
      await deal(ids);
      scheduled = false;
      if (pending.size) schedule();
    });
  };
  return onNews((news) => {
    pending.add(news?.search ?? null);
    if (!scheduled) schedule();
  });
}

/**
 * @param {any[]} items Newest first.
 * @param {any} search As it is now.
 * @param {Record<string, any>} filters
 * @param {string | null} next
 * @returns {any[]} The items with the search where it belongs, or without it.
 */
function withSearch(items, search, filters, next) {
  const others = items.filter((one) => one.search !== search.search);
  const shown = others.length < items.length;
  if (!passes(search, filters) || (!shown && !isOnLoadedPages(search, { items, next }))) return others;
  const at = shown
    ? items.findIndex((one) => one.search === search.search)
    : others.findIndex((one) => one.created_at < search.created_at);
  return at < 0 ? [...others, search] : [...others.slice(0, at), search, ...others.slice(at)];
}

/** @param {any} search @param {{items: any[], next: string | null}} loaded Whether it is newer than the last one. */
function isOnLoadedPages(search, { items, next }) {
  return next === null || items.length === 0 || search.created_at >= items[items.length - 1].created_at;
}

/** @param {any} search @param {Record<string, any>} filters */
function passes(search, filters) {
  return (
    Boolean(search.deleted_at) === Boolean(filters.trash) &&
    (!filters.status || filters.status === search.status) &&
    (!filters.name || search.name.toLowerCase().includes(filters.name.toLowerCase()))
  );
}
