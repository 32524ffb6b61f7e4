// The page's table of all experiments. The first rows are written here for readers without scripts; the page's script
// replaces them with rows that can be filtered, sorted and repeated.

import type { ResultRow } from "../result.ts";
import { readMain } from "./records.ts";
import { escapeHtml } from "./text.ts";
import { formatCount, formatTime, formatValue } from "./units.ts";

/** Name of the column in the records, heading, class of its cells. */
const columns = [
  ["model", "Model", "long"],
  ["bitsPerWeight", "Bits", "right"],
  ["spec", "Spec", "long"],
  ["task", "Task", "long"],
  ["measure", "Metric", ""],
  ["value", "Value", "right"],
  ["standardError", "± se", "right"],
  ["totalBits", "MB", "right"],
  ["seconds", "Seconds", "right"],
  ["date", "Date, UTC", ""],
] as const;

const staticRows = 200;

/**
 * The table with its filter, its pages and its download; `unstable` rows are marked.
 *
 * @param hasPaths - whether every row says where its model and data were
 */
export function renderExperiments(
  rows: readonly ResultRow[],
  unstable: ReadonlyMap<ResultRow, string>,
  hasPaths = rows.every((row) => row.paths),
): string {
  const classOf = (name: string) => (name === "" ? "" : ` class="${name}"`);
  const head = columns.map(
    ([name, label, cells]) => `<th scope="col" data-column="${name}"${classOf(cells)}>${label}</th>`,
  );
  const body = rows.slice(0, staticRows).map((row) => {
    const cells = readCells(row, unstable.has(row)).map((text, j) => {
      return `<td${classOf(columns[j][2])}><bdi>${escapeHtml(text)}</bdi></td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  const stand = hasPaths ? "" : "; FILE-… in it stands for the text or documents whose SHA-256 begins so";
  const more =
    rows.length > staticRows
      ? `<noscript><p class="note">The first ${staticRows} of ${formatCount(rows.length)}; a browser with scripts shows them all.</p></noscript>`
      : "";
  return `<section id="all-experiments"><h2>All experiments</h2>
<p class="note script-only">Click a heading to sort. Copy takes the command that measures a row again${stand}.</p>
<div class="tools script-only"><input id="filter" type="search" placeholder="Filter: model, spec, task, id, .." aria-label="Filter the experiments by words"><button id="before" class="plain" type="button" aria-label="Previous rows" hidden>‹</button><span id="shown" role="status"></span><button id="after" class="plain" type="button" aria-label="Next rows" hidden>›</button><button id="csv" class="plain" type="button">Download CSV</button></div>
<p id="traced" class="note" hidden><span id="traced-note"></span> <button id="untrace" class="plain" type="button">Show all</button></p>
<div class="scroll" tabindex="0" role="region" aria-label="All experiments"><table id="experiments"><thead><tr>${head.join("")}<th scope="col" class="script-only">Command</th></tr></thead><tbody>${body.join("\n")}</tbody></table></div>
${more}
</section>`;
}

function readCells(row: ResultRow, isUnstable: boolean): string[] {
  const main = readMain(row);
  return [
    row.model.name,
    String(Number(row.bitsPerWeight.toFixed(2))),
    row.key.spec,
    row.key.task,
    main?.label ?? "",
    main === undefined ? "" : `${formatValue(main.value)}${isUnstable ? " unstable" : ""}`,
    main?.standardError == null ? "" : formatValue(main.standardError),
    (row.bits.total / 8e6).toFixed(3),
    row.seconds.toFixed(1),
    formatTime(row.date),
  ];
}
