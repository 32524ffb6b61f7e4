#!/usr/bin/env node
// The first file that runs. It imports nothing before it knows that this Node can run the rest.

const needed = 24;
const [major] = process.versions.node.split(".").map(Number);
if (major < needed) {
  process.stderr.write(
    `kbit: kbit needs Node ${needed} or newer, and this is Node ${process.versions.node}; in a clone of kbit, npx kbit brings its own.\n`,
  );
  process.exitCode = 2;
} else {
  await import("./kbit.ts");
}
