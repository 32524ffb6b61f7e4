#!/bin/sh
# Writes report, rows, figure and tables from the stores, without measuring: experiments/families/write.sh FOLDER
set -eu
folder=$1
kbit=${KBIT:-npx kbit}
here=experiments/families
title="The paper's core grid on the bundled families"
$kbit report --db "$folder/families.db" --title "$title" --out "$here/report.md" >/dev/null
sed -i "s#$folder/##" "$here/report.md" # the folder is nobody's business
$kbit study export --db "$folder/families.db" --out "$here/rows.csv"
node_modules/.bin/node "$here/tables.ts" "$folder"
