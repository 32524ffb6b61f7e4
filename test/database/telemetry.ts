// An SDK of OpenTelemetry that keeps what it is told, as a user's own module would load one: `node --import` this file, and
// what was told stands as JSON in the file that TELEMETRY_FILE names when the process ends.

import { writeFileSync } from "node:fs";
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";

/** One value of an instrument: of a histogram its count. */
export interface Told {
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: number;
}

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const exportIntervalMillis = 200; // often enough that one falls into the middle of a run
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis, exportTimeoutMillis: 150 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

/** Everything that was told, the latest last. */
export function readTold(): Told[] {
  const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return found.flatMap(({ descriptor, dataPoints }) =>
    dataPoints.map(({ attributes, value }) => {
      return { name: descriptor.name, attributes, value: typeof value === "number" ? value : value.count };
    }),
  );
}

const file = process.env["TELEMETRY_FILE"];
if (file !== undefined) process.on("exit", () => writeFileSync(file, JSON.stringify(readTold())));
