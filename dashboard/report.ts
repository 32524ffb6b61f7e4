// The report, live: asks the server for the chosen series, shows it, and again when results come. A slider moves the
// budget; what to choose for it is the server's answer, marked in the figures.

import { formatCommand } from "../src/report/command.ts";
import { createActions, listenToPoints, readyPoints } from "../src/report/page-script.ts";
import type { RecordPage } from "../src/report/record-index.ts";
import { saveFigures } from "../src/report/save-figure.ts";
import type { RowSource } from "../src/report/source.ts";
import { startTable } from "../src/report/table-script.ts";
import { formatPlural, formatSize, formatValue } from "../src/report/units.ts";
import { listenToZoom } from "../src/report/zoom-script.ts";
import type { LiveState } from "../src/ui/live-node.ts";
import type { LiveChoice, LiveView } from "../src/ui/views.ts";

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

async function ask(path: string): Promise<Response> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return response;
}

/** The rows of the server's store. */
const source: RowSource = {
  async find({ ids, ...query }) {
    const words = Object.entries(query).map(([name, value]) => [name, String(value)]);
    const response = await ask(`/rows?${new URLSearchParams([...words, ["ids", ids.join(" ")]])}`);
    return (await response.json()) as RecordPage;
  },
  csv: async () => (await ask("/results.csv")).blob(),
};

/** Sections that come after the answer: their laws and claims take the server a while. */
const later = [
  ["contrasts", "Comparing one choice at a time .."],
  ["findings", "Checking the findings of the paper .."],
] as const;

/** Fills the report's view and keeps it up to date. */
export function startReport(): void {
  const [head, answer, chooser, live] = ["head", "answer", "chooser", "live"].map((id) => byId(id));
  const filters = byId<HTMLFormElement>("filters");
  const slider = byId<HTMLInputElement>("budget");
  const actions = createActions(source, formatCommand);
  let showRows: (() => Promise<void>) | undefined;
  let view: LiveView | undefined;
  let shown = -1; // version on the page
  let isAsking = false;
  document.documentElement.classList.add("has-script");
  listenToPoints(source, actions);
  listenToZoom();
  saveFigures();

  const query = () => {
    const chosen = [...new FormData(filters)].filter(([, value]) => value !== "") as [string, string][];
    return new URLSearchParams(chosen);
  };
  const budget = () => {
    const [low, high] = view!.range!;
    return low * ((high * 1.05) / low) ** (Number(slider.value) / 1000);
  };

  let turn = 0;
  let isStale = false; // what depends on the store alone
  async function refresh(isNewStore: boolean): Promise<void> {
    const own = ++turn;
    isStale ||= isNewStore;
    const asked = query().toString();
    const next = (await (await ask(`/view?${asked}`)).json()) as LiveView;
    if (own !== turn) return; // another choice has been made since; it shows what is stale too
    const isNew = isStale;
    isStale = false;
    view = next;
    document.title = view.title;
    head.innerHTML = view.head;
    replaceSection(answer, view.answer);
    if (isNew) for (const name of ["times", "troubles", "provenance"] as const) replaceSection(byId(name), view[name]);
    if (showRows === undefined) {
      byId("table").innerHTML = view.experiments;
      showRows = startTable(source, actions, formatValue);
    }
    fillFilters(filters, view);
    chooser.hidden = view.range === null;
    await Promise.all([
      choose(),
      isNew ? showRows() : undefined,
      ...later.map(([name, note]) => (name === "findings" && !isNew ? undefined : fillLater(name, note, asked, own))),
    ]);
  }
  const lastAsked = new Map<string, number>(); // turns, by section
  async function fillLater(name: string, note: string, asked: string, own: number): Promise<void> {
    lastAsked.set(name, own);
    const place = byId(name);
    if (place.childElementCount === 0 && view?.range) place.innerHTML = `<p class="note" role="status">${note}</p>`;
    place.setAttribute("aria-busy", "true");
    const html = await (await ask(`/${name}?${asked}`)).text();
    if (lastAsked.get(name) !== own) return;
    replaceSection(place, html);
    place.removeAttribute("aria-busy");
  }
  async function choose(): Promise<void> {
    if (view?.range == null) return;
    const asked = Math.round(budget());
    byId("budget-size").textContent = formatSize(asked);
    slider.setAttribute("aria-valuetext", formatSize(asked));
    const choice = (await (await ask(`/choice?${query()}&budget=${asked}`)).json()) as LiveChoice;
    if (Math.round(budget()) !== asked) return; // the slider has moved on
    byId("choice").textContent = choice.sentences[0];
    byId("choice-curves").textContent = choice.sentences[1];
    const rows = byId("choice-rows");
    rows.textContent = String(choice.trace.length);
    rows.dataset["trace"] = choice.trace.join(" ");
    rows.dataset["what"] = formatSize(asked);
    rows.setAttribute("aria-label", `Show the ${choice.trace.length} rows behind this`);
    markChoice(answer, choice);
  }
  const tell = (message: string, isTrouble: boolean) => {
    live.textContent = message;
    live.classList.toggle("trouble", isTrouble);
  };
  /** Tells of trouble; where nothing is shown yet, the body does not go on saying that the store is being read. */
  const tellTrouble = (message: string) => {
    tell(message, true);
    if (view === undefined) head.innerHTML = `<p class="answer">Nothing can be shown yet; see above why.</p>`;
  };
  const guard = (work: Promise<void>) =>
    work.catch((error) => tellTrouble(error instanceof Error ? error.message : String(error)));

  filters.addEventListener("change", () => guard(refresh(false)));
  filters.addEventListener("submit", (event) => event.preventDefault());
  slider.addEventListener("input", () => guard(choose()));

  let latest: LiveState | undefined;
  async function follow(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    while (latest !== undefined && latest.version > shown && latest.trouble === null) {
      shown = latest.version;
      await guard(refresh(true));
    }
    isAsking = false;
  }
  const events = new EventSource("/events");
  events.addEventListener("message", ({ data }) => {
    const state: LiveState = JSON.parse(data);
    if (latest !== undefined && state.version < latest.version) shown = -1; // the server was started again
    latest = state;
    const time = new Date().toLocaleTimeString("en-GB");
    if (state.trouble === null) tell(`Live: ${formatPlural(state.results, "result")} at ${time}`, false);
    else tellTrouble(state.trouble);
    void follow();
  });
  events.addEventListener("error", () => tellTrouble("kbit does not answer; trying again .."));
}

/** Replaces a section, and keeps what a reader had set: opened details, zoomed figures, the point with the focus. */
function replaceSection(place: HTMLElement, html: string): void {
  const nameOf = (details: Element) => details.querySelector("summary")?.firstChild?.textContent ?? "";
  const opened = new Set([...place.querySelectorAll("details[open]")].map(nameOf));
  const nameFigure = (svg: Element) =>
    `${svg.closest<HTMLElement>("figure")?.dataset["name"]} ${svg.classList.contains("narrow")}`;
  const zoomed = [...place.querySelectorAll<SVGElement>("svg.figure[data-view]")];
  const views = new Map(zoomed.map((svg) => [nameFigure(svg), svg.dataset["view"]!]));
  const focused = place.contains(document.activeElement) ? document.activeElement!.closest(".point") : null;
  const focus = focused && [nameFigure(focused.closest("svg")!), focused.getAttribute("data-rows")];
  place.innerHTML = html;
  for (const details of place.querySelectorAll("details")) if (opened.has(nameOf(details))) details.open = true;
  readyPoints(place);
  for (const svg of place.querySelectorAll<SVGElement>("svg.figure")) {
    const view = views.get(nameFigure(svg));
    if (view !== undefined) {
      svg.dataset["view"] = view;
      svg.dispatchEvent(new Event("kbit-marks", { bubbles: true }));
    }
    if (focus?.[0] !== nameFigure(svg)) continue;
    const points = [...svg.querySelectorAll<SVGElement>(".point")];
    points.find((point) => point.getAttribute("data-rows") === focus[1])?.focus();
  }
}

function fillFilters(filters: HTMLFormElement, view: LiveView): void {
  const fill = (name: string, choices: readonly (readonly [string, string])[], value: string) => {
    const select = filters.elements.namedItem(name) as HTMLSelectElement;
    select.replaceChildren(...choices.map(([value, label]) => new Option(label, value)));
    select.value = value;
    if (select.selectedIndex < 0) select.selectedIndex = 0;
    select.closest("label")!.hidden = choices.length < 2;
  };
  const kept = (name: string) => (filters.elements.namedItem(name) as HTMLSelectElement).value;
  const all = (label: string, values: readonly string[]): [string, string][] =>
    values.length < 2 ? [] : [["", label], ...values.map((value): [string, string] => [value, value])];
  fill(
    "series",
    view.series.map((name) => [name, name]),
    view.chosen,
  );
  fill("types", all("the best", view.types), kept("types"));
  fill("blocks", all("the best", view.blocks), kept("blocks"));
  fill("metric", view.metrics.length < 2 ? [] : [["", "the usual one"], ...view.metrics], kept("metric"));
}

/** A line at the budget and a ring round what to choose, in each figure of the answer. */
function markChoice(answer: HTMLElement, { rows, marks }: LiveChoice): void {
  for (const old of answer.querySelectorAll("svg.figure .budget")) old.remove();
  for (const old of answer.querySelectorAll("svg.figure .chosen")) old.classList.remove("chosen");
  const chosen = rows.join(" ");
  for (const figure of answer.querySelectorAll("svg.figure")) {
    const [x, top, bottom] = marks[figure.classList.contains("narrow") ? "narrow" : "wide"];
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const places = { class: "budget", x1: x, x2: x, y1: top, y2: bottom };
    for (const [name, value] of Object.entries(places)) line.setAttribute(name, String(value));
    figure.querySelector(".marks")!.append(line);
    if (figure.classList.contains("zoomed")) figure.dispatchEvent(new Event("kbit-marks", { bubbles: true }));
    for (const point of figure.querySelectorAll(".point"))
      if (chosen !== "" && point.getAttribute("data-rows") === chosen) point.classList.add("chosen");
  }
}
