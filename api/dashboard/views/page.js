/** The frame: who is signed in, where one can go, whether news arrive; and the view of the present address. */

import { get } from "../client.js";
import { isConnected, onConnection, startLive, stopLive } from "../live.js";
import { Empty, Loading, ProblemNotice } from "../parts/notice.js";
import { ThemeButton } from "../parts/theme.js";
import { linkTo } from "../router.js";
import { currentKey, forgetKey } from "../session.js";
import { html, useEffect, useErrorBoundary, useState } from "../vendor/preact-standalone.mjs";
import { Admin } from "./admin.js";
import { Devices } from "./devices.js";
import { NewSearch } from "./new_search.js";
import { SearchList } from "./search_list.js";
import { SearchPage } from "./search_page.js";
import { SignIn } from "./sign_in.js";
import { usePlace } from "./use_place.js";

const PLACES = [
  { name: "Searches", path: [] },
  { name: "New search", path: ["new"], writes: true },
  { name: "Devices", path: ["devices"] },
  { name: "Administration", path: ["admin"] },
];

/** How long a lost connection goes unmentioned. */
const PATIENCE_MS = 700;

/** The whole page. */
export function Page() {
  const [me, setMe] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState(/** @type {any} */ (null));
  const [fault, forgive] = useErrorBoundary((error) => console.error(error));
  const { path } = usePlace();
  const enter = () => {
    setProblem(null);
    get("/v1/me").then((answer) => {
      setMe(answer);
      startLive();
    }, setProblem);
  };
  const leave = () => {
    stopLive();
    forgetKey();
    setMe(null);
    setProblem(null);
  };
  useEffect(() => {
    if (currentKey()) enter();
  }, []);
  useEffect(() => forgive(), [path.join("/")]);

  if (!currentKey() || problem?.status === 401)
    return html`
      <${SignIn} problem=${currentKey() ? problem : null} onKey=${enter} />
    `;
  if (problem)
    return html`
      <main><${ProblemNotice} problem=${problem} retry=${enter} /></main>
    `;
  if (!me)
    return html`
      <main><${Loading} /></main>
    `;
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <${Top} me=${me} path=${path} onLeave=${leave} />
    <main id="main" tabindex="-1">
      ${
        fault
          ? html`
              <${ProblemNotice} problem=${fault} retry=${forgive} />
            `
          : html`
              <${View} path=${path} me=${me} />
            `
      }
    </main>
  `;
}

/** The view of an address. @param {{path: string[], me: any}} props */
function View({ path, me }) {
  const [place, id] = path;
  if (place === undefined)
    return html`
      <${SearchList} me=${me} />
    `;
  if (place === "searches" && id)
    return html`
      <${SearchPage} key=${id} id=${id} me=${me} />
    `;
  if (place === "new")
    return html`
      <${NewSearch} me=${me} />
    `;
  if (place === "devices")
    return html`
      <${Devices} />
    `;
  if (place === "admin")
    return html`
      <${Admin} me=${me} />
    `;
  return html`<${Empty} title="There is no such page"><a href=${linkTo([])}>Go to the searches</a></${Empty}>`;
}

/** @param {{me: any, path: string[], onLeave: () => void}} props */
function Top({ me, path, onLeave }) {
  const places = PLACES.filter((place) => !place.writes || me.role !== "reader");
  return html`
    <header class="top">
      <a class="brand" href=${linkTo([])}>
        <img src="/static/icon.svg" alt="" />
        Blocksmith
      </a>
      <nav aria-label="Pages">
        ${places.map(
          (place) => html`
            <a
              key=${place.name}
              href=${linkTo(place.path)}
              aria-current=${place.path[0] === path[0] ? "page" : undefined}
            >
              ${place.name}
            </a>
          `,
        )}
      </nav>
      <div class="right">
        <${Connection} />
        <span class="who muted small">${me.project ?? "all projects"} · ${me.role}</span>
        <${ThemeButton} />
        <button class="quiet" onClick=${onLeave}>Sign out</button>
      </div>
    </header>
  `;
}

/** Whether what is on screen is alive. */
function Connection() {
  const [state, setState] = useState(isConnected() ? "live" : "connecting");
  useEffect(() => {
    let timer;
    const update = () => {
      clearTimeout(timer);
      if (isConnected()) setState("live");
      // A connection that comes back at once is nothing to worry anyone with.
      else timer = setTimeout(() => setState("lost"), PATIENCE_MS);
    };
    update();
    const forget = onConnection(update);
    return () => {
      clearTimeout(timer);
      forget();
    };
  }, []);
  const words = { live: "Live", connecting: "Connecting…", lost: "Reconnecting…" };
  return html`<span class="live ${state}" role="status">${words[state]}</span>`;
}

/** The fragment is the router's; the skip link moves focus itself. @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
