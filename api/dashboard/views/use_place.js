/** The place in the address, as something a page is drawn from. */

import { here } from "../router.js";
import { useEffect, useState } from "../vendor/preact-standalone.mjs";

/** @returns {import("../router.js").Place} The present place; renders again when it changes. */
export function usePlace() {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const update = () => setPlace(here());
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return place;
}
