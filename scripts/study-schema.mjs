// Writes study.schema.json, by which editors complete and check study files. A test holds it to the schema in the sources.
import { writeFileSync } from "node:fs";
import { tasks } from "../src/evaluate/tasks/index.ts";
import { describeStudySchema } from "../src/study/study-schema.ts";

const path = new URL("../study.schema.json", import.meta.url);
writeFileSync(path, `${JSON.stringify(describeStudySchema(Object.keys(tasks)), null, 2)}\n`);
