// The page's one script: hover and focus on points, a table that filters and sorts, copies and the CSV.
// `runPage` is complete in itself; the page carries its text. Everything a row says is set as text, never as HTML.

import type { RepeatedRow } from "./command.ts";
import type { Records } from "./records.ts";

/** Brings the page to life. Runs in a browser, on the page that html.ts writes. */
export function runPage(formatCommand: (row: RepeatedRow) => string): void {
  const pageSize = 200;
  const byId = (id: string) => document.getElementById(id)!;
  const records: Records = JSON.parse(byId("records").textContent ?? "");
  const columns = new Map(records.columns.map((column) => [column.name, column]));
  const tip = byId("tip");
  const said = byId("said");
  document.documentElement.classList.add("has-script");

  const read = (name: string, i: number): string | number | null => {
    const column = columns.get(name);
    const value = column?.values[i] ?? null;
    return column?.distinct && value !== null ? column.distinct[value as number] : value;
  };
  const text = (name: string, i: number) => String(read(name, i) ?? "");
  const commandOf = (i: number) =>
    formatCommand({
      model: text("model", i),
      spec: text("spec", i),
      task: text("taskPath", i) || text("task", i),
      profile: text("profile", i),
      limit: read("limit", i) as number | null,
      dataHash: text("dataHash", i),
      modelPath: text("modelPath", i),
      dataPath: text("dataPath", i),
    });

  let silence = 0;
  const say = (message: string) => {
    said.textContent = message;
    clearTimeout(silence);
    silence = window.setTimeout(() => {
      said.textContent = "";
    }, 4000);
  };
  const copyCommand = async (i: number) => {
    if (i < 0) return; // a mean of several rows
    const command = commandOf(i);
    try {
      await navigator.clipboard.writeText(command);
    } catch {
      // Pages opened from disk may lack the clipboard interface.
      const area = document.createElement("textarea");
      area.value = command;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say(`Copied: ${command}`);
  };

  // Points: one stop of the Tab key a figure, arrow keys between its points.
  const showTip = (point: Element) => {
    const hint = Number(point.getAttribute("data-row")) < 0 ? "" : "\nEnter or click copies the command.";
    tip.textContent = `${point.getAttribute("aria-label")}${hint}`;
    tip.hidden = false;
    const box = point.getBoundingClientRect();
    const left = box.left + box.width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - tip.offsetWidth - 8)) + scrollX}px`;
    const above = box.top - tip.offsetHeight - 6;
    tip.style.top = `${(above < 4 ? box.bottom + 6 : above) + scrollY}px`;
  };
  const hideTip = () => {
    tip.hidden = true;
  };
  for (const figure of document.querySelectorAll("svg.figure")) {
    const points = [...figure.querySelectorAll<SVGElement>(".point")];
    points.forEach((point, place) => {
      point.querySelector("title")?.remove();
      point.setAttribute("role", "button");
      point.setAttribute("tabindex", place === 0 ? "0" : "-1");
      const row = Number(point.getAttribute("data-row"));
      point.addEventListener("mouseenter", () => showTip(point));
      point.addEventListener("mouseleave", hideTip);
      point.addEventListener("focus", () => showTip(point));
      point.addEventListener("blur", hideTip);
      point.addEventListener("click", () => copyCommand(row));
      point.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          copyCommand(row);
        }
        if (event.key === "Escape") hideTip();
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        const next = step === undefined ? undefined : points[place + step];
        if (next === undefined) return;
        event.preventDefault();
        point.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
      });
    });
  }

  // The table of experiments.
  const table = byId("experiments") as HTMLTableElement;
  const body = table.tBodies[0];
  const template = [...table.tHead!.rows[0].cells];
  const shownNames = template.map((cell) => cell.dataset["column"] ?? "");
  const filter = byId("filter") as HTMLInputElement;
  const status = byId("shown");
  const more = byId("more");
  const unstable = new Set<number>(JSON.parse(table.dataset["unstable"] ?? "[]"));
  const searchable = [
    "model",
    "family",
    "spec",
    "task",
    "measure",
    "profile",
    "machine",
    "kernels",
    "computeType",
    "id",
  ];
  let haystack: string[] | undefined;
  let order = Array.from({ length: records.count }, (_, i) => i);
  let shown = 0;

  const format = (name: string, value: string | number | null): string => {
    if (value === null) return "";
    if (typeof value === "string") return name === "date" ? value.slice(0, 16).replace("T", " ") : value;
    if (name === "value" || name === "standardError") return value.toFixed(3);
    if (name === "totalBits") return (value / 8e6).toFixed(3);
    if (name === "seconds") return value.toFixed(1);
    return String(value);
  };
  const makeRow = (i: number): HTMLTableRowElement => {
    const line = document.createElement("tr");
    shownNames.forEach((name, j) => {
      const cell = line.insertCell();
      cell.className = template[j].className;
      if (name === "") {
        const button = document.createElement("button");
        button.className = "plain";
        button.type = "button";
        button.textContent = "Copy";
        button.title = commandOf(i);
        button.setAttribute("aria-label", `Copy the command of ${text("model", i)} at ${text("spec", i)}`);
        button.addEventListener("click", () => copyCommand(i));
        cell.append(button);
        return;
      }
      const words = document.createElement("bdi");
      words.textContent = format(name, read(name, i));
      if (typeof read(name, i) === "string") cell.title = text(name, i);
      cell.append(words);
      if (name === "value" && unstable.has(i)) {
        const mark = document.createElement("span");
        mark.className = "unstable";
        mark.textContent = " unstable";
        cell.append(mark);
      }
    });
    return line;
  };
  const showMore = () => {
    const until = Math.min(order.length, shown + pageSize);
    const lines = document.createDocumentFragment();
    for (; shown < until; shown++) lines.append(makeRow(order[shown]));
    body.append(lines);
    status.textContent = `${shown.toLocaleString("en-US")} of ${order.length.toLocaleString("en-US")} shown`;
    more.hidden = shown >= order.length;
  };
  const refresh = () => {
    haystack ??= Array.from({ length: records.count }, (_, i) =>
      searchable
        .map((name) => text(name, i))
        .join("\n")
        .toLowerCase(),
    );
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const sorted = template.find((cell) => cell.hasAttribute("aria-sort"));
    order = [];
    for (let i = 0; i < records.count; i++) if (words.every((word) => haystack![i].includes(word))) order.push(i);
    if (sorted) {
      const name = sorted.dataset["column"]!;
      const sign = sorted.getAttribute("aria-sort") === "ascending" ? 1 : -1;
      const keys = Array.from({ length: records.count }, (_, i) => read(name, i));
      const collator = new Intl.Collator("en", { numeric: true });
      order.sort((a, b) => {
        const [x, y] = [keys[a], keys[b]];
        if (x === null || y === null) return Number(x === null) - Number(y === null);
        return sign * (typeof x === "number" && typeof y === "number" ? x - y : collator.compare(String(x), String(y)));
      });
    }
    body.replaceChildren();
    shown = 0;
    showMore();
  };
  let pause = 0;
  filter.addEventListener("input", () => {
    clearTimeout(pause);
    pause = window.setTimeout(refresh, 120);
  });
  more.addEventListener("click", showMore);
  for (const cell of template) {
    if (!cell.dataset["column"]) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    cell.replaceChildren(button);
    button.addEventListener("click", () => {
      const next = cell.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of template) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", next);
      refresh();
    });
  }
  refresh();

  // The CSV: every row and every column. Texts that a spreadsheet would run as a formula get an apostrophe.
  byId("csv").addEventListener("click", () => {
    const quote = (value: string | number | null): string => {
      if (value === null) return "";
      if (typeof value === "number") return String(value);
      const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
      return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const names = records.columns.map((column) => column.name);
    const lines = [names.map(quote).join(",")];
    for (let i = 0; i < records.count; i++) lines.push(names.map((name) => quote(read(name, i))).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
    link.download = "kbit-results.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
