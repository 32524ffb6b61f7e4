// The inspector: a matrix of a model at a spec, as three drawings and a line of numbers.

import { drawBars, drawSeries } from "./draw.ts";
import type { Inspection } from "./inspect.ts";
import type { ModelFacts } from "./page.ts";
import type { WorkerClient } from "./worker-client.ts";

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** Brings the inspector's form to life; matrices are listed when its view is first opened. */
export function startInspector(models: readonly ModelFacts[], worker: WorkerClient): void {
  const form = byId<HTMLFormElement>("look");
  const [status, seen] = [byId("look-status"), byId("seen")];
  const modelField = form.elements.namedItem("model") as HTMLSelectElement;
  const matrixField = form.elements.namedItem("matrix") as HTMLSelectElement;
  const specField = form.elements.namedItem("spec") as HTMLInputElement;
  modelField.append(...models.map(({ name }, i) => new Option(name, String(i))));

  const say = (message: string, isTrouble = false) => {
    status.textContent = message;
    status.classList.toggle("trouble", isTrouble);
  };
  const tellProgress = (part: { readonly kind: string; readonly note?: string }) => {
    if (part.kind === "progress") say(part.note!);
  };
  const onModel = () => ({ model: Number(modelField.value), facts: models[Number(modelField.value)] });
  async function list(): Promise<void> {
    const reply = await worker.ask({ kind: "list", ...onModel() }, tellProgress);
    if (reply.kind !== "listed") return;
    const kept = matrixField.value;
    matrixField.replaceChildren(...reply.matrices.map((name) => new Option(name)));
    const usual = reply.matrices.find((name) => /down_proj|fc2|4h_to_h|mlp\.c_proj/.test(name));
    matrixField.value = reply.matrices.includes(kept) ? kept : (usual ?? reply.matrices[0]);
    say("");
  }
  async function look(): Promise<void> {
    say("Quantizing ..");
    const request = { kind: "inspect", ...onModel(), spec: specField.value, matrix: matrixField.value } as const;
    const reply = await worker.ask(request, tellProgress);
    if (reply.kind !== "inspected") return;
    say(describe(reply.inspection));
    showInspection(seen, reply.inspection);
  }
  const guard = (work: () => Promise<void>) =>
    work().catch((error) => {
      seen.replaceChildren();
      say((error as Error).message, true);
    });
  let isListed = false;
  const open = () => {
    if (isListed || location.hash !== "#inspector" || models.length === 0) return;
    isListed = true;
    void guard(async () => {
      await list();
      await look();
    });
  };
  modelField.addEventListener("change", () =>
    guard(async () => {
      await list();
      await look();
    }),
  );
  matrixField.addEventListener("change", () => guard(look));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void guard(look);
  });
  addEventListener("hashchange", open);
  open();
}

function describe({ shape, bitsPerWeight, normalizedMse, maxError, entropy }: Inspection): string {
  return (
    `${shape[0]} x ${shape[1]}, ${bitsPerWeight.toFixed(3)} bits a weight; error ${formatPercent(Math.sqrt(normalizedMse))} ` +
    `of the weights' size, largest ${maxError.toPrecision(3)}; codes carry ${entropy.toFixed(2)} bits`
  );
}

function showInspection(place: HTMLElement, inspection: Inspection): void {
  const { histogram, codebook, codeCounts, blockErrors, blockSize, columnDeviations, outlierColumns } = inspection;
  const [used, total] = [
    codeCounts.filter((count) => count > 0).length,
    histogram.reduce((sum, count) => sum + count, 0),
  ];
  const width = Math.min(760, Math.max(300, place.clientWidth)); // in CSS pixels, so that texts keep their size
  const figures: [SVGElement, string, string][] = [
    [
      drawBars(histogram, {
        width,
        low: -1,
        high: 1,
        marks: codebook,
        xLabel: "weight, as a share of its block's absmax",
        yLabel: "weights",
      }),
      "Weights and codebook",
      `${total.toLocaleString("en-US")} weights; the lines are the ${codebook.length} values that codes stand for, of which ${used} are used.`,
    ],
    [
      drawSeries(blockErrors, {
        width,
        xLabel: `block of ${blockSize.toLocaleString("en-US")} weights`,
        yLabel: "error, % of the block's size",
        scale: 100,
      }),
      "Error by block",
      `${blockErrors.length.toLocaleString("en-US")} blocks in order${blockErrors.length > width / 2 ? ", several a pixel: the line is their mean, the band reaches to the largest" : ""}.`,
    ],
    [
      drawSeries(columnDeviations, {
        width,
        xLabel: "input column",
        yLabel: "standard deviation",
        marked: outlierColumns,
        isStems: true,
      }),
      "Columns",
      outlierColumns.length === 0
        ? "Standard deviation of each input column. This spec keeps none of them in 16 bits; :proxy2 keeps 2 %."
        : `Standard deviation of each input column; marked are the ${outlierColumns.length} that stay in 16 bits, by the rule of the spec.`,
    ],
  ];
  place.replaceChildren(
    ...figures.map(([drawing, title, text]) => {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      const name = document.createElement("b");
      name.textContent = `${title}. `;
      caption.append(name, text);
      drawing.setAttribute("role", "img");
      drawing.setAttribute("aria-label", `${title}: ${text}`);
      figure.append(drawing, caption);
      return figure;
    }),
  );
}

function formatPercent(share: number): string {
  return `${(share * 100).toPrecision(3)} %`;
}
