// Compile the contracts with solc-js into deterministic artifacts.
//
//   node build.mjs                                 every known root below that exists
//   node build.mjs PREFIX SOURCE_ROOT OUT_DIR ...  triples of import prefix, source folder, artifact folder
//
// Import names: "margin/X.sol" is src/X.sol here, "@openzeppelin/..." comes from node_modules; a root's own files are
// named PREFIX/X.sol. Artifacts hold no path of the machine, no metadata hash and no compiler-internal node number, so
// that a rebuild is byte-identical.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const project = path.resolve(here, "../..");
const require = createRequire(import.meta.url);
const solc = require("solc");

const OWN_SOURCES = path.join(here, "src");
const KNOWN_ROOTS = [
  ["margin", OWN_SOURCES, path.join(here, "artifacts")],
  ["margin-test", path.join(here, "test"), path.join(here, "artifacts", "test")],
  ["devnet", path.join(project, "chains/devnet/contracts/src"), path.join(project, "chains/devnet/contracts/artifacts")],
];
const SETTINGS = {
  evmVersion: "cancun",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  optimizer: { enabled: true, runs: 10000 },
  viaIR: false,
};

const OUTPUTS = [
  "abi",
  "evm.bytecode.object",
  "evm.deployedBytecode.object",
  "evm.deployedBytecode.immutableReferences",
  "storageLayout",
];

/** Return the value with the keys of every object sorted. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** Read every .sol file of a folder, as {"prefix/Name.sol": {content}}. */
function sourcesOf(prefix, root) {
  const names = fs.readdirSync(root).filter((name) => name.endsWith(".sol")).sort();
  return Object.fromEntries(names.map((name) => [`${prefix}/${name}`, { content: fs.readFileSync(path.join(root, name), "utf8") }]));
}

/** Resolve an import that is not among the sources. */
function findImport(name) {
  const file = name.startsWith("margin/")
    ? path.join(OWN_SOURCES, name.slice("margin/".length))
    : path.join(here, "node_modules", name);
  return fs.existsSync(file) ? { contents: fs.readFileSync(file, "utf8") } : { error: `no such import: ${name}` };
}

/** Map the node number of every state variable to its name. */
function variableNames(node, names = new Map()) {
  if (Array.isArray(node)) node.forEach((child) => variableNames(child, names));
  else if (node !== null && typeof node === "object") {
    if (node.nodeType === "VariableDeclaration" && node.stateVariable) names.set(String(node.id), node.name);
    Object.values(node).forEach((child) => variableNames(child, names));
  }
  return names;
}

/** Drop compiler-internal numbers from a storage layout: they change with every unrelated file. */
function stableLayout(layout) {
  const text = JSON.stringify(layout, (key, value) => (key === "astId" ? undefined : value));
  return JSON.parse(text.replace(/(t_(?:struct|contract|enum|userDefinedValueType)\([A-Za-z0-9_$]+\))\d+/g, "$1"));
}

function artifactOf(name, contract, names) {
  const deployed = contract.evm.deployedBytecode;
  const immutables = Object.entries(deployed.immutableReferences ?? {}).map(([id, places]) => [names.get(id), places]);
  return {
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    compiler: { settings: SETTINGS, version: solc.version() },
    contractName: name,
    deployedBytecode: `0x${deployed.object}`,
    immutableReferences: Object.fromEntries(immutables),
    storageLayout: stableLayout(contract.storageLayout ?? { storage: [], types: null }),
  };
}

/** A library's own warnings are its maintainers' business. */
function isForeignWarning(problem) {
  return problem.severity === "warning" && problem.sourceLocation?.file.startsWith("@openzeppelin/");
}

/** Whether an ABI item can be called: a library of internal functions has none and needs no artifact. */
function isEntry(item) {
  return ["constructor", "fallback", "function", "receive"].includes(item.type);
}

/** Compile one root and write its artifacts; files of contracts that are gone are deleted. */
function build(prefix, root, outDir) {
  const sources = sourcesOf(prefix, root);
  const own = Object.fromEntries(Object.keys(sources).map((file) => [file, { "*": OUTPUTS }]));
  const outputSelection = { ...own, "*": { "": ["ast"] } };
  const input = { language: "Solidity", sources, settings: { ...SETTINGS, outputSelection } };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  const problems = (output.errors ?? []).filter((problem) => !isForeignWarning(problem));
  problems.forEach((problem) => process.stderr.write(problem.formattedMessage));
  if (problems.length > 0) throw new Error(`${prefix}: ${problems.length} compiler messages; warnings count as errors`);
  const names = variableNames(Object.values(output.sources).map((source) => source.ast));
  fs.mkdirSync(outDir, { recursive: true });
  const written = new Set();
  for (const [file, contracts] of Object.entries(output.contracts ?? {})) {
    for (const [name, contract] of Object.entries(contracts)) {
      if (contract.evm.deployedBytecode.object === "" || !contract.abi.some(isEntry)) continue;
      const text = JSON.stringify(sorted(artifactOf(name, contract, names)), null, 1);
      fs.writeFileSync(path.join(outDir, `${name}.json`), `${text}\n`);
      written.add(`${name}.json`);
    }
  }
  fs.readdirSync(outDir)
    .filter((name) => name.endsWith(".json") && !written.has(name))
    .forEach((name) => fs.unlinkSync(path.join(outDir, name)));
  process.stdout.write(`${prefix}: ${[...written].sort().join(" ")}\n`);
}

const args = process.argv.slice(2);
if (args.length % 3 !== 0) throw new Error("usage: node build.mjs [PREFIX SOURCE_ROOT OUT_DIR]...");
const roots = args.length === 0 ? KNOWN_ROOTS : [];
for (let i = 0; i < args.length; i += 3) roots.push([args[i], path.resolve(args[i + 1]), path.resolve(args[i + 2])]);
for (const [prefix, root, outDir] of roots) if (fs.existsSync(root)) build(prefix, root, outDir);
