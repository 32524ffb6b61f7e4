#!/bin/sh
# Writes rows, report, figures and tables from the stores, without measuring: experiments/families/write.sh FOLDER
set -eu
folder=$1
kbit=${KBIT:-npx kbit}
here=experiments/families
$kbit study export --db "$folder/families.db" --out "$here/rows.parquet"
$kbit study export --db "$folder/families-sizes.db" --out "$here/sizes.parquet"
$kbit study export --db "$folder/families-training.db" --out "$here/training.parquet"
$kbit report --db "$here/rows.parquet" --title "The paper's core grid on the bundled families" --out "$here/report.md" >/dev/null
node_modules/.bin/node "$here/tables.ts"
