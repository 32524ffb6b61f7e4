// The live page: three views in one document, of which the address names one. Each view is a file of its own.

import { startInspector } from "./inspector.ts";
import { startPlayground } from "./playground.ts";
import { startReport } from "./report.ts";
import { openWorker } from "./worker-client.ts";

/** A model that the server lists. */
export interface ModelFacts {
  readonly name: string;
  readonly files: Readonly<Record<string, number>>;
  readonly bytes: number;
}

const views = ["report", "playground", "inspector"];

function showView(): void {
  const wanted = location.hash.slice(1);
  const name = views.includes(wanted) ? wanted : views[0];
  for (const view of views) document.getElementById(`view-${view}`)!.hidden = view !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// The token has become a cookie; the address bar need not show it.
if (location.search.includes("token=")) history.replaceState(null, "", `/${location.hash}`);
addEventListener("hashchange", showView);
showView();
startReport();
const models: ModelFacts[] = await (await fetch("/models")).json();
const worker = openWorker();
startPlayground(models, worker);
startInspector(models, worker);
