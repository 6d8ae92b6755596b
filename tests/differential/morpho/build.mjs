// Compile the published Morpho Blue sources and their mocks into build/morpho.json (never committed).
// Imports resolve inside the package alone; a file outside it is refused.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(HERE, 'node_modules', '@morpho-org', 'morpho-blue', 'src');
const WANTED = { 'Morpho.sol': 'Morpho', 'mocks/IrmMock.sol': 'IrmMock', 'mocks/OracleMock.sol': 'OracleMock', 'mocks/ERC20Mock.sol': 'ERC20Mock' };

function read(path) {
  const file = normalize(join(SOURCES, path));
  if (!file.startsWith(SOURCES)) return { error: `outside the package: ${path}` };
  try {
    return { contents: readFileSync(file, 'utf8') };
  } catch {
    return { error: `no such file: ${path}` };
  }
}

const sources = Object.fromEntries(Object.keys(WANTED).map((path) => [path, { content: read(path).contents }]));
const settings = { optimizer: { enabled: true, runs: 200 }, viaIR: true, outputSelection: { '*': { '*': ['evm.bytecode.object'] } } };
const output = JSON.parse(solc.compile(JSON.stringify({ language: 'Solidity', sources, settings }), { import: read }));
const errors = (output.errors ?? []).filter((error) => error.severity === 'error');
if (errors.length) {
  console.error(errors.map((error) => error.formattedMessage).join('\n'));
  process.exit(1);
}
const built = Object.fromEntries(
  Object.entries(WANTED).map(([path, name]) => [name, `0x${output.contracts[path][name].evm.bytecode.object}`]),
);
mkdirSync(join(HERE, 'build'), { recursive: true });
writeFileSync(join(HERE, 'build', 'morpho.json'), JSON.stringify(built));
console.log(`${Object.keys(built).length} contracts, solc ${solc.version()}`);
