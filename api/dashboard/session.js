/**
 * The key this tab works with. It comes by `#key=` or the sign-in form and lives in sessionStorage: it ends
 * with the tab, is never sent anywhere but to this origin's API, and never stays in the address bar.
 */

const STORED = "blocksmith.key";

/** Take a key out of the address, before anything else reads the address. */
export function consumeKeyInAddress() {
  const match = /^#key=([^&]+)(?:&(.*))?$/.exec(location.hash);
  if (!match) return;
  sessionStorage.setItem(STORED, decodeURIComponent(match[1]));
  history.replaceState(null, "", location.pathname + (match[2] ? `#${match[2]}` : "#/"));
}

/** @returns {string} The key, or an empty text. */
export function currentKey() {
  return sessionStorage.getItem(STORED) ?? "";
}

/** @param {string} key */
export function keepKey(key) {
  sessionStorage.setItem(STORED, key.trim());
}

/** Sign out: forget the key. */
export function forgetKey() {
  sessionStorage.removeItem(STORED);
}

/** @returns {string} The public part of the key: names channels that tabs with the same key share. */
export function keyName() {
  return currentKey().split("_")[1] ?? "";
}
