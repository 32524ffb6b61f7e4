// The report, live: asks the server for the chosen series, shows it, and again when results come. A slider moves the
// budget; what to choose for it is the server's answer, marked in the figures.

import { formatCommand } from "../src/report/command.ts";
import { runPage } from "../src/report/page-script.ts";
import { saveFigures } from "../src/report/save-figure.ts";
import { formatPlural, formatSize } from "../src/report/units.ts";
import type { LiveState } from "../src/ui/live-node.ts";
import type { LiveChoice, LiveView } from "../src/ui/views.ts";

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** Fills the report's view and keeps it up to date. */
export function startReport(): void {
  const [head, main, chooser, live] = ["head", "report", "chooser", "live"].map((id) => byId(id));
  const filters = byId<HTMLFormElement>("filters");
  const slider = byId<HTMLInputElement>("budget");
  let view: LiveView | undefined;
  let shown = -1; // version on the page
  let isAsking = false;

  const query = () => {
    const chosen = [...new FormData(filters)].filter(([, value]) => value !== "") as [string, string][];
    return new URLSearchParams(chosen);
  };
  const ask = async (path: string): Promise<string> => {
    const response = await fetch(path);
    if (!response.ok) throw new Error(await response.text());
    return response.text();
  };
  const budget = () => {
    const [low, high] = view!.range!;
    return low * ((high * 1.05) / low) ** (Number(slider.value) / 1000);
  };

  async function refresh(withRecords: boolean): Promise<void> {
    const [text, records] = await Promise.all([ask(`/view?${query()}`), withRecords ? ask("/records") : undefined]);
    view = JSON.parse(text) as LiveView;
    if (records !== undefined) byId("records").textContent = records;
    document.title = view.title;
    const restore = rememberPage(main);
    head.innerHTML = view.head;
    main.innerHTML = view.main;
    restore();
    runPage(formatCommand);
    saveFigures();
    fillFilters(filters, view);
    chooser.hidden = view.range === null;
    await choose();
  }
  async function choose(): Promise<void> {
    if (view?.range == null) return;
    const asked = Math.round(budget());
    byId("budget-size").textContent = formatSize(asked);
    const text = await ask(`/choice?${query()}&budget=${asked}`);
    const choice = JSON.parse(text) as LiveChoice;
    if (Math.round(budget()) !== asked) return; // the slider has moved on
    byId("choice").textContent = choice.sentences[0];
    byId("choice-curves").textContent = choice.sentences[1];
    markChoice(main, choice);
  }
  const tell = (message: string, isTrouble: boolean) => {
    live.textContent = message;
    live.classList.toggle("trouble", isTrouble);
  };
  const guard = (work: Promise<void>) =>
    work.catch((error) => tell(error instanceof Error ? error.message : String(error), true));

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
    tell(state.trouble ?? `Live: ${formatPlural(state.results, "result")} at ${time}`, state.trouble !== null);
    void follow();
  });
  events.addEventListener("error", () => tell("kbit does not answer; trying again ..", true));
}

/** What a reader has set in the page, to be set again after it is replaced: filter, sorting, opened details. */
function rememberPage(main: HTMLElement): () => void {
  const filter = main.querySelector<HTMLInputElement>("#filter");
  const words = filter?.value ?? "";
  const hadFocus = filter !== null && document.activeElement === filter;
  const sorted = main.querySelector<HTMLElement>("#experiments th[aria-sort]");
  const [column, order] = [sorted?.dataset["column"], sorted?.getAttribute("aria-sort")];
  const nameOf = (details: Element) => details.querySelector("summary")?.firstChild?.textContent ?? "";
  const opened = new Set([...main.querySelectorAll("details[open]")].map(nameOf));
  return () => {
    const next = main.querySelector<HTMLInputElement>("#filter");
    if (next) next.value = words;
    if (hadFocus) next?.focus();
    for (const cell of main.querySelectorAll<HTMLElement>("#experiments th")) {
      if (column && cell.dataset["column"] === column) cell.setAttribute("aria-sort", order!);
    }
    for (const details of main.querySelectorAll("details")) if (opened.has(nameOf(details))) details.open = true;
  };
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
function markChoice(main: HTMLElement, { row, marks }: LiveChoice): void {
  for (const old of main.querySelectorAll("svg.figure .budget")) old.remove();
  for (const old of main.querySelectorAll("svg.figure .chosen")) old.classList.remove("chosen");
  for (const figure of main.querySelectorAll("section[aria-label='The answer'] svg.figure")) {
    const [x, top, bottom] = marks[figure.classList.contains("narrow") ? "narrow" : "wide"];
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const places = { class: "budget", x1: x, x2: x, y1: top, y2: bottom };
    for (const [name, value] of Object.entries(places)) line.setAttribute(name, String(value));
    figure.append(line);
    if (row >= 0)
      for (const point of figure.querySelectorAll(`.point[data-row="${row}"]`)) point.classList.add("chosen");
  }
}
