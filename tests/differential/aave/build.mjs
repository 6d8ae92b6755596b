// Compile the parts of the published Aave v3.6 sources that a pool needs, into build/v36.json (never committed).
// Imports resolve inside node_modules alone; a file outside it is refused.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const HERE = dirname(fileURLToPath(import.meta.url));
const MODULES = join(HERE, 'node_modules');
const ROOT = '@aave-dao/aave-v3-origin/src/contracts';
const WANTED = {
  'instances/PoolInstance.sol': ['PoolInstance'],
  'instances/PoolConfiguratorInstance.sol': ['PoolConfiguratorInstance'],
  'instances/ATokenInstance.sol': ['ATokenInstance'],
  'instances/VariableDebtTokenInstance.sol': ['VariableDebtTokenInstance'],
  'protocol/configuration/PoolAddressesProvider.sol': ['PoolAddressesProvider'],
  'protocol/configuration/ACLManager.sol': ['ACLManager'],
  'misc/DefaultReserveInterestRateStrategyV2.sol': ['DefaultReserveInterestRateStrategyV2'],
  'mocks/oracle/PriceOracle.sol': ['PriceOracle'],
  'mocks/tokens/MintableERC20.sol': ['MintableERC20'],
};
const LIBRARIES = ['BorrowLogic', 'ConfiguratorLogic', 'FlashLoanLogic', 'LiquidationLogic', 'PoolLogic', 'SupplyLogic'];
for (const name of LIBRARIES) WANTED[`protocol/libraries/logic/${name}.sol`] = [name];
const REMAPPED = [['openzeppelin-contracts/', '@openzeppelin/'], ['solidity-utils/', '@bgd-labs/solidity-utils/src/']];

function read(path) {
  let name = path;
  for (const [from, to] of REMAPPED) if (name.startsWith(from)) name = to + name.slice(from.length);
  const file = normalize(join(MODULES, name));
  if (!file.startsWith(MODULES)) return { error: `outside node_modules: ${path}` };
  try {
    return { contents: readFileSync(file, 'utf8') };
  } catch {
    return { error: `no such file: ${path}` };
  }
}

const paths = Object.keys(WANTED);
const input = {
  language: 'Solidity',
  sources: Object.fromEntries(paths.map((path) => [`${ROOT}/${path}`, { content: read(`${ROOT}/${path}`).contents }])),
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: 'cancun',
    outputSelection: { '*': { '*': ['evm.bytecode.object', 'evm.bytecode.linkReferences'] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
const errors = (output.errors ?? []).filter((error) => error.severity === 'error');
if (errors.length) {
  console.error(errors.map((error) => error.formattedMessage).join('\n'));
  process.exit(1);
}
const built = {};
for (const path of paths) {
  for (const name of WANTED[path]) {
    const { object, linkReferences } = output.contracts[`${ROOT}/${path}`][name].evm.bytecode;
    built[name] = { bytecode: `0x${object}`, linkReferences };
  }
}
mkdirSync(join(HERE, 'build'), { recursive: true });
writeFileSync(join(HERE, 'build', 'v36.json'), JSON.stringify(built));
console.log(`${Object.keys(built).length} contracts, solc ${solc.version()}`);
