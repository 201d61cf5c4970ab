/** The spec being written: one plain document that form and text both edit. */

/** @typedef {import("./client.js").Fault} Fault */

/** What a new search starts from. */
export const FRESH = {
  name: "",
  teacher: { source: "reference" },
  objectives: ["params"],
  constraints: [{ metric: "noise_mse_relative", at_most: 0.05 }],
  budget: { trials: 48 },
  parallelism: 2,
  seed: 0,
};

/**
 * @param {any} document
 * @param {(string | number)[]} path
 * @param {any} value `undefined` removes the field, so that its default holds.
 * @returns {any} A copy with one field changed; what is not touched is shared.
 */
export function withField(document, [first, ...rest], value) {
  const before = document ?? {};
  const inner = rest.length ? withField(before[first], rest, value) : value;
  if (Array.isArray(before)) return before.map((one, i) => (i === first ? inner : one));
  const after = { ...before, [first]: inner };
  if (inner === undefined) delete after[first];
  return after;
}

/** @param {any} document @param {(string | number)[]} path @returns {any} */
export function fieldOf(document, path) {
  return path.reduce((value, part) => value?.[part], document);
}

/** @param {Fault[]} faults @param {string} pointer @returns {Fault[]} Faults at a field or below it. */
export function faultsAt(faults, pointer) {
  return faults.filter((fault) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`));
}

/** @param {Fault[]} faults @param {string[]} pointers @returns {Fault[]} Faults that no field of the form shows. */
export function faultsElsewhere(faults, pointers) {
  return faults.filter(
    (fault) => !pointers.some((pointer) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`)),
  );
}
