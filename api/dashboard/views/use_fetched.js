/** Data of one panel, read again when its inputs change; the last answer stays while the next is on its way. */

import { get } from "../client.js";
import { isConnected, onConnection } from "../live.js";
import { useEffect, useState } from "../vendor/preact-standalone.mjs";

/**
 * @param {string | null | undefined | false} path Nothing is asked for while it is empty.
 * @param {Record<string, unknown>} [query]
 * @param {any[]} [inputs] What the answer depends on, besides the path.
 * @returns {{value: any, problem: Error | null, reload: () => void}}
 */
export function useFetched(path, query = {}, inputs = []) {
  const [state, setState] = useState(/** @type {any} */ ({ value: null, problem: null }));
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (!path) return undefined;
    let gone = false;
    get(path, query).then(
      (value) => {
        if (!gone) setState({ value, problem: null });
      },
      (problem) => {
        if (!gone) setState((before) => ({ ...before, problem }));
      },
    );
    return () => {
      gone = true;
    };
  }, [path, round, ...inputs]);
  useEffect(() => {
    if (!state.problem) return undefined;
    // What failed while the server was away is asked for again when it is back.
    return onConnection(() => isConnected() && setRound((before) => before + 1));
  }, [state.problem]);
  return { ...state, reload: () => setRound((before) => before + 1) };
}
