/** The spec as text, YAML or JSON, with the server's faults below it. */

import { FaultList } from "../parts/notice.js";
import { html, useEffect, useRef, useState } from "../vendor/preact-standalone.mjs";

/** @param {{spec: any, setSpec: (spec: any) => void, onParsed: (parsed: boolean) => void, faults: any[]}} props */
export function SpecText({ spec, setSpec, onParsed, faults }) {
  const yaml = useRef(/** @type {any} */ (null));
  const [text, setText] = useState("");
  const [fault, setFault] = useState("");
  useEffect(() => {
    import("../vendor/js-yaml.esm.min.mjs").then((library) => {
      yaml.current = library;
      setText(library.dump(spec, { lineWidth: 110, flowLevel: 2 }));
    });
  }, []);
  const edit = (event) => {
    setText(event.target.value);
    try {
      const document = yaml.current.load(event.target.value);
      if (typeof document !== "object" || document === null || Array.isArray(document))
        throw new Error("A spec is a mapping of fields.");
      setFault("");
      onParsed(true);
      setSpec(document);
    } catch (error) {
      setFault(/** @type {Error} */ (error).message.split("\n")[0]);
      onParsed(false);
    }
  };
  return html`
    <section class="panel">
      <header>
        <h2>Spec</h2>
        <span class="muted small">YAML or JSON</span>
      </header>
      <div class="body stack">
        <label class="hidden-text" for="spec-text">Spec as YAML or JSON</label>
        <textarea
          id="spec-text"
          rows="26"
          spellcheck="false"
          value=${text}
          onInput=${edit}
          aria-invalid=${fault || faults.length ? "true" : undefined}
          aria-describedby="spec-faults"
        />
        <div id="spec-faults" role="status">
          ${
            fault &&
            html`
              <p class="notice bad">${fault}</p>
            `
          }
          ${
            !fault &&
            faults.length > 0 &&
            html`
              <div class="notice bad"><${FaultList} faults=${faults} /></div>
            `
          }
        </div>
      </div>
    </section>
  `;
}
