// The page's table of all experiments. The first rows are written here for readers without scripts; the page's script
// replaces them with rows that can be filtered, sorted and repeated.

import type { ResultRow } from "../result.ts";
import { defaultMetric, readMetric } from "../scaling/metrics.ts";
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

/** The table with its filter and downloads; `unstable` are indices of rows. */
export function renderExperiments(rows: readonly ResultRow[], unstable: ReadonlySet<number>): string {
  const classOf = (name: string) => (name === "" ? "" : ` class="${name}"`);
  const head = columns.map(
    ([name, label, cells]) => `<th scope="col" data-column="${name}"${classOf(cells)}>${label}</th>`,
  );
  const body = rows.slice(0, staticRows).map((row, i) => {
    const cells = readCells(row, unstable.has(i)).map((text, j) => {
      return `<td${classOf(columns[j][2])}><bdi>${escapeHtml(text)}</bdi></td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  const stand = rows.every((row) => row.paths)
    ? ""
    : "; FILE-… in it stands for the text or documents whose SHA-256 begins so";
  const more =
    rows.length > staticRows
      ? `<noscript><p class="note">The first ${staticRows} of ${formatCount(rows.length)}; a browser with scripts shows them all.</p></noscript>`
      : "";
  return `<section><h2>All experiments</h2>
<p class="note script-only">Click a heading to sort. Copy takes the command that measures a row again${stand}.</p>
<div class="tools script-only"><input id="filter" type="search" placeholder="Filter: model, spec, task, .." aria-label="Filter the experiments by words"><span id="shown" role="status"></span><button id="csv" class="plain" type="button">Download CSV</button></div>
<div class="scroll" tabindex="0" role="region" aria-label="All experiments"><table id="experiments" data-unstable="${JSON.stringify([...unstable])}"><thead><tr>${head.join("")}<th scope="col" class="script-only">Command</th></tr></thead><tbody>${body.join("\n")}</tbody></table></div>
${more}<p class="script-only"><button id="more" class="plain" type="button" hidden>Show more</button></p>
</section>`;
}

function readCells(row: ResultRow, isUnstable: boolean): string[] {
  const metric = defaultMetric([row]);
  const reading = metric && readMetric(row, metric);
  return [
    row.model.name,
    String(Number(row.bitsPerWeight.toFixed(2))),
    row.key.spec,
    row.key.task,
    metric?.label ?? "",
    reading === undefined ? "" : `${formatValue(reading.value)}${isUnstable ? " unstable" : ""}`,
    reading?.standardError === undefined || reading.standardError === null ? "" : formatValue(reading.standardError),
    (row.bits.total / 8e6).toFixed(3),
    row.seconds.toFixed(1),
    formatTime(row.date),
  ];
}
