// The command around stylua's npm build, which is a library without one.
//
//   node scripts/stylua.mjs [--check] PATH...
//
// Formats every .lua file under the paths by stylua.toml (or .stylua.toml) of the working folder;
// with --check only names those that would change. Exit 1 if there are any, or one does not parse.

import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const require = createRequire(resolve(".venv/node/package.json"));
const stylua = require("@johnnymorganz/stylua");

const ENUMS = {
  block_newline_gaps: stylua.BlockNewlineGaps,
  call_parentheses: stylua.CallParenType,
  collapse_simple_statement: stylua.CollapseSimpleStatement,
  indent_type: stylua.IndentType,
  line_endings: stylua.LineEndings,
  quote_style: stylua.QuoteStyle,
  space_after_function_names: stylua.SpaceAfterFunctionNames,
  syntax: stylua.LuaVersion,
};

function readConfig() {
  const config = stylua.Config.new();
  const file = ["stylua.toml", ".stylua.toml"].find((name) => existsSync(name));
  if (!file) return config;
  let table = "";
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const text = line.replace(/#.*/, "").trim();
    if (!text) continue;
    const header = /^\[(\w+)\]$/.exec(text);
    if (header) {
      table = header[1];
      continue;
    }
    const [, key, raw] = /^(\w+)\s*=\s*(.+)$/.exec(text) ?? [];
    const value = raw === undefined ? undefined : JSON.parse(raw);
    if (table === "sort_requires" && key === "enabled") {
      const sorting = stylua.SortRequiresConfig.new();
      sorting.enabled = value;
      config.sort_requires = sorting;
    } else if (table === "" && key in ENUMS && value in ENUMS[key]) {
      config[key] = ENUMS[key][value];
    } else if (table === "" && key in stylua.Config.prototype && !(key in ENUMS)) {
      config[key] = value;
    } else {
      throw new Error(`${file}: stylua does not know “${text}”`);
    }
  }
  return config;
}

function luaFiles(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isDirectory()) return readdirSync(path).sort().flatMap((name) => luaFiles(join(path, name)));
  return path.endsWith(".lua") ? [path] : [];
}

const check = process.argv.includes("--check");
const files = process.argv.slice(2).filter((word) => word !== "--check").flatMap(luaFiles);
let bad = 0;
for (const file of files) {
  const before = readFileSync(file, "utf8");
  let after;
  try {
    // formatCode takes its Config away, so each file needs a fresh one.
    after = stylua.formatCode(before, readConfig(), undefined, stylua.OutputVerification.Full);
  } catch (error) {
    bad += 1;
    console.error(`${file}: ${error}`);
    continue;
  }
  if (after === before) continue;
  if (check) {
    bad += 1;
    console.error(`Would reformat: ${file}`);
  } else {
    writeFileSync(file, after);
    console.log(`Reformatted: ${file}`);
  }
}
console.log(bad ? `${bad} of ${files.length} Lua files need \`make format\`.` : `${files.length} Lua files are formatted.`);
process.exit(bad ? 1 : 0);
