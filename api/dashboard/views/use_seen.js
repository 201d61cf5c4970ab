/** What a panel that costs the server something waits for: that somebody looks, and that it was not asked just now. */

import { useEffect, useState } from "../vendor/preact-standalone.mjs";

/** Fitting or comparing takes the server a second: a running search is asked again no more often than this. */
const PACE_MS = 20_000;

/**
 * @param {{current: Element | null}} box
 * @param {boolean} settled Whether what lies above has its height; before, everything is near the screen.
 * @returns {boolean} Whether the box has ever been near the screen.
 */
export function useSeen(box, settled) {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!settled) return undefined;
    // A busy browser tells of several crossings at once.
    /** @param {IntersectionObserverEntry[]} crossings */
    const tell = (crossings) => crossings.some(({ isIntersecting }) => isIntersecting) && setSeen(true);
    const watch = new IntersectionObserver(tell, { rootMargin: "200px" });
    watch.observe(/** @type {Element} */ (box.current));
    return () => watch.disconnect();
  }, [settled]);
  return seen;
}

/** @param {number} news @returns {number} The same, but changing no more often than the pace allows. */
export function usePaced(news) {
  const [told, setTold] = useState({ news, at: Date.now() });
  useEffect(() => {
    if (news === told.news) return undefined;
    const timer = setTimeout(() => setTold({ news, at: Date.now() }), told.at + PACE_MS - Date.now());
    return () => clearTimeout(timer);
  }, [news, told]);
  return told.news;
}
