/** Where the user is: `#/searches/ID?sel=3,9`. Everything that can be looked at again stands in the address. */

/** @typedef {{path: string[], query: Record<string, string>}} Place */

/** @returns {Place} */
export function here() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    path: path.split("/").filter(Boolean).map(decodeURIComponent),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** @param {string[]} path @param {Record<string, string | undefined>} [query] @returns {string} A link. */
export function linkTo(path, query = {}) {
  const given = Object.entries(query).filter((entry) => entry[1]);
  // Commas and colons may stand in a fragment; unescaped they keep the address readable.
  const text = new URLSearchParams(/** @type {any} */ (given))
    .toString()
    .replaceAll("%2C", ",")
    .replaceAll("%3A", ":");
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

/** @param {string} link */
export function go(link) {
  location.hash = link;
}

/**
 * Change parts of the query in place: choices within a page are no new pages.
 *
 * @param {Record<string, string | undefined>} changes
 */
export function setQuery(changes) {
  const { path, query } = here();
  history.replaceState(null, "", linkTo(path, { ...query, ...changes }));
  dispatchEvent(new Event("hashchange"));
}
