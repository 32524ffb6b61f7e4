#!/bin/sh
# Measures the bundled families and writes what is committed here. One command, from the root of the clone:
#
#     experiments/families/run.sh FOLDER
#
# FOLDER keeps the stores; the same command goes on after a stop, and takes in models that came since. KBIT names another kbit,
# such as "node src/cli/bin.ts"; WORKERS how many run at once (default: a core each).
set -eu
folder=$1
kbit=${KBIT:-npx kbit}
here=experiments/families
mkdir -p "$folder"
run() { $kbit study run "experiments/$1.yaml" --db "$folder/$2.db" ${WORKERS:+--workers "$WORKERS"}; }
run families families
run families-tasks families
run families-sizes families-sizes
[ ! -f models/neox-seeds/family.json ] || run families-training families-training
exec "$here/write.sh" "$folder"
