// Says whether each file is a valid AsyncAPI document.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Parser } from "@asyncapi/parser";

const parser = new Parser();
let operations = 0;
for (const name of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(readFileSync(name, "utf8"), { source: resolve(name) });
  // 0 is an error, 1 a warning; the rest are hints.
  const found = diagnostics.filter(({ severity }) => severity <= 1);
  for (const { path, message } of found) console.error(`${name}: ${path.join(".")}: ${message}`);
  if (found.length > 0 || !document) process.exit(1);
  operations += document.operations().length;
}
console.log(JSON.stringify({ operations }));
