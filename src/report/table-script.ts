// The table of all experiments: filter, order, pages, and the rows behind a number. Complete in itself; the report carries
// its text. Everything a row says is set as text, never as HTML.

import type { PageActions } from "./page-script.ts";
import type { RecordRow } from "./record-index.ts";
import type { RowSource } from "./source.ts";

/** Brings the table to life; the function that it returns shows the rows anew. Runs in a browser, once a page. */
export function startTable(
  source: RowSource,
  { say, copy, commandOf }: PageActions,
  formatValue: (value: number) => string,
): () => Promise<void> {
  const pageSize = 100;
  const byId = (id: string) => document.getElementById(id)!;
  const table = byId("experiments") as HTMLTableElement;
  const body = table.tBodies[0];
  const headings = [...table.tHead!.rows[0].cells];
  const filter = byId("filter") as HTMLInputElement;
  const [status, traced, tracedNote] = [byId("shown"), byId("traced"), byId("traced-note")];
  const [before, after] = [byId("before") as HTMLButtonElement, byId("after") as HTMLButtonElement];
  let ids: readonly string[] = [];
  let from = 0;
  let asked = 0;

  const format = (name: string, value: string | number | null): string => {
    if (value === null) return "";
    if (typeof value === "string") return name === "date" ? value.slice(0, 16).replace("T", " ") : value;
    if (name === "value" || name === "standardError") return formatValue(value);
    if (name === "totalBits") return (value / 8e6).toFixed(3);
    if (name === "seconds") return value.toFixed(1);
    return String(value);
  };
  const makeRow = (row: RecordRow): HTMLTableRowElement => {
    const line = document.createElement("tr");
    for (const heading of headings) {
      const name = heading.dataset["column"] ?? "";
      const cell = line.insertCell();
      cell.className = heading.className;
      if (name === "") {
        const button = document.createElement("button");
        button.className = "plain";
        button.type = "button";
        button.textContent = "Copy";
        button.title = commandOf(row);
        button.setAttribute("aria-label", `Copy the command of ${row["model"]} at ${row["spec"]}`);
        button.addEventListener("click", () => void copy([String(row["id"])]));
        cell.append(button);
        continue;
      }
      const words = document.createElement("bdi");
      words.textContent = format(name, row[name] ?? null);
      if (typeof row[name] === "string") cell.title = row[name];
      cell.append(words);
      if (name === "value" && row["unstable"] !== null) {
        const mark = document.createElement("span");
        mark.className = "unstable";
        mark.textContent = " unstable";
        mark.title = String(row["unstable"]);
        cell.append(mark);
      }
    }
    return line;
  };
  const refresh = async () => {
    const sorted = headings.find((cell) => cell.hasAttribute("aria-sort"));
    const turn = ++asked;
    const page = await source.find({
      words: filter.value,
      ids,
      sort: sorted?.dataset["column"] ?? "",
      descending: sorted?.getAttribute("aria-sort") === "descending",
      from,
      count: pageSize,
    });
    if (turn !== asked) return; // another question has been asked since
    from = page.from;
    const lines = document.createDocumentFragment();
    for (const row of page.rows) lines.append(makeRow(row));
    body.replaceChildren(lines);
    const number = (value: number) => value.toLocaleString("en-US");
    const end = from + page.rows.length;
    status.textContent = page.total === 0 ? "none" : `${number(from + 1)} to ${number(end)} of ${number(page.total)}`;
    [before.disabled, after.disabled] = [from === 0, end >= page.total];
    [before.hidden, after.hidden] = [page.total <= pageSize, page.total <= pageSize];
    traced.hidden = ids.length === 0;
  };
  const fail = (error: unknown) => say(error instanceof Error ? error.message : String(error));
  const start = (place = 0) => {
    from = place;
    return refresh().catch(fail);
  };
  let pause = 0;
  filter.addEventListener("input", () => {
    clearTimeout(pause);
    pause = window.setTimeout(start, 120);
  });
  const turn = (pages: number) => {
    void start(Math.max(0, from + pages * pageSize));
    table.parentElement!.scrollTop = 0;
  };
  before.addEventListener("click", () => turn(-1));
  after.addEventListener("click", () => turn(1));
  byId("untrace").addEventListener("click", () => {
    ids = [];
    void start();
    filter.focus();
  });
  for (const cell of headings) {
    if (!cell.dataset["column"]) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    cell.replaceChildren(button);
    button.addEventListener("click", () => {
      const next = cell.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", next);
      void start();
    });
  }
  // The rows behind a number, wherever it stands on the page: by their ids, or by words.
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest?.<HTMLElement>("button[data-trace], button[data-words]");
    if (!button) return;
    ids = (button.dataset["trace"] ?? "").split(" ").filter(Boolean);
    filter.value = button.dataset["words"] ?? "";
    tracedNote.textContent = `Only the ${ids.length} behind “${button.dataset["what"] ?? ""}”.`;
    void start().then(() => {
      byId("all-experiments").scrollIntoView({ block: "start" });
      (ids.length > 0 ? byId("untrace") : filter).focus({ preventScroll: true });
    });
  });
  byId("csv").addEventListener("click", async () => {
    try {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await source.csv());
      link.download = "kbit-results.csv";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    } catch (error) {
      fail(error);
    }
  });
  return () => refresh().catch(fail);
}
