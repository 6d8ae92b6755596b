"""Set up a pool of each published revision, with the same assets, prices and one efficiency mode.

| market | package | compiled | assets from |
|---|---|---|---|
| aave@3.0 | @aave/core-v3 1.19.3, pool revision 1 | by its publisher | 2 decimals |
| aave@3.6 | @aave-dao/aave-v3-origin 3.6.0, pool revision 10 | here, by build.mjs | 6 decimals: fewer are refused |

Interest is steep on purpose: indices must move. One asset has threshold 0 outside the mode in 3.6, which is possible
there only; its users may leave the mode and keep it as collateral that counts without weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eth_abi import encode

from tests.differential.aave.chain import Chain, Query, published_v30, published_v36

RAY = 10**27
NOBODY = "0x" + "00" * 20
TREASURY = "0x" + "11" * 20
CATEGORY = 1
CATEGORY_TERMS = (9_000, 9_300, 10_100)


@dataclass(frozen=True)
class AssetTerms:
    """Hold what one asset is set up with; amounts in basis points, price with 8 decimals."""

    decimals: int
    price: int
    ltv: int
    threshold: int
    bonus: int
    fee: int
    in_category: bool = False


ASSETS = (
    AssetTerms(6, 100_000_000, 7_500, 7_800, 10_450, 1_000, in_category=True),
    AssetTerms(6, 99_987_654, 7_700, 8_000, 10_550, 2_000, in_category=True),
    AssetTerms(8, 6_012_345_678_901, 7_000, 7_500, 10_650, 1_000),
    AssetTerms(12, 123_457, 5_001, 6_503, 11_001, 0),
    AssetTerms(18, 301_234_567_891, 8_000, 8_250, 10_500, 1_000),
    AssetTerms(18, 100_012_345, 6_000, 7_001, 10_333, 3_333, in_category=True),
)


@dataclass(frozen=True)
class Asset:
    """Hold a listed asset."""

    terms: AssetTerms
    token: str
    a_token: str
    v_token: str


@dataclass(frozen=True)
class Market:
    """Hold a deployed pool."""

    revision: str
    chain: Chain
    admin: str
    pool: str
    oracle: str
    configurator: str
    assets: tuple[Asset, ...]


class Setup(Protocol):
    """Deploy one revision."""

    def __call__(self, chain: Chain) -> Market:
        """Return the market, assets listed, nothing supplied."""


def addresses_provider(chain: Chain, admin: str, provider_code: str, acl_code: str, oracle: str) -> str:
    """Deploy the registry and the access list that both revisions share."""
    provider = chain.deploy(admin, provider_code, ("string", "address"), ("differential", admin))
    chain.must(admin, provider, "setACLAdmin(address)", admin)
    acl = chain.deploy(admin, acl_code, ("address",), (provider,))
    chain.must(admin, provider, "setACLManager(address)", acl)
    chain.must(admin, provider, "setPriceOracle(address)", oracle)
    chain.must(admin, acl, "addPoolAdmin(address)", admin)
    return provider


def finish(market: Market) -> Market:
    """Set terms, prices and the mode's own price of nothing; the calls that both revisions share."""
    chain, admin, configurator = market.chain, market.admin, market.configurator
    for asset in market.assets:
        terms = asset.terms
        chain.must(admin, market.oracle, "setAssetPrice(address,uint256)", asset.token, terms.price)
        if terms.threshold:
            chain.must(
                admin,
                configurator,
                "configureReserveAsCollateral(address,uint256,uint256,uint256)",
                *(asset.token, terms.ltv, terms.threshold, terms.bonus),
            )
        chain.must(admin, configurator, "setReserveBorrowing(address,bool)", asset.token, True)
        chain.must(admin, configurator, "setReserveFactor(address,uint256)", asset.token, 1_000)
        chain.must(admin, configurator, "setLiquidationProtocolFee(address,uint256)", asset.token, terms.fee)
    return market


def pool_v30(chain: Chain) -> Market:
    """Deploy @aave/core-v3."""
    admin = chain.accounts[0]
    libraries: dict[str, str] = {}
    for name in ("SupplyLogic", "BorrowLogic", "LiquidationLogic", "EModeLogic", "BridgeLogic", "PoolLogic"):
        libraries[name] = chain.deploy(admin, published_v30("protocol/libraries/logic", name).linked(libraries))
    for name in ("FlashLoanLogic", "ConfiguratorLogic"):
        libraries[name] = chain.deploy(admin, published_v30("protocol/libraries/logic", name).linked(libraries))
    oracle = chain.deploy(admin, published_v30("mocks/oracle", "PriceOracle").bytecode)
    provider = addresses_provider(
        chain,
        admin,
        published_v30("protocol/configuration", "PoolAddressesProvider").bytecode,
        published_v30("protocol/configuration", "ACLManager").bytecode,
        oracle,
    )
    pool_code = published_v30("protocol/pool", "Pool").linked(libraries)
    chain.must(admin, provider, "setPoolImpl(address)", chain.deploy(admin, pool_code, ("address",), (provider,)))
    configurator_code = published_v30("protocol/pool", "PoolConfigurator").linked(libraries)
    chain.must(admin, provider, "setPoolConfiguratorImpl(address)", chain.deploy(admin, configurator_code))
    pool, configurator = chain.ask(
        [Query(provider, "getPool()", (), ("address",)), Query(provider, "getPoolConfigurator()", (), ("address",))]
    )
    percent = RAY // 100
    rates = (80 * percent, percent, 40 * percent, 300 * percent, 0, 0, 0, 0, 20 * percent)
    strategy = chain.deploy(
        admin,
        published_v30("protocol/pool", "DefaultReserveInterestRateStrategy").bytecode,
        ("address", *("uint256",) * 9),
        (provider, *rates),
    )
    tokens = [
        chain.deploy(admin, published_v30("protocol/tokenization", name).bytecode, ("address",), (pool,))
        for name in ("AToken", "StableDebtToken", "VariableDebtToken")
    ]
    mintable = published_v30("mocks/tokens", "MintableERC20").bytecode
    assets = []
    for terms in (AssetTerms(2, *_but_decimals(ASSETS[0])), *ASSETS[1:]):
        token = chain.deploy(admin, mintable, ("string", "string", "uint8"), ("T", "T", terms.decimals))
        listing = (*tokens, terms.decimals, strategy, token, TREASURY, NOBODY, *("x",) * 6, b"")
        form = ",".join((*("address",) * 3, "uint8", *("address",) * 4, *("string",) * 6, "bytes"))
        chain.must(admin, configurator, f"initReserves(({form})[])", [listing])
        assets.append(_listed(chain, pool, token, terms))
    market = finish(Market("aave@3.0", chain, admin, pool, oracle, configurator, tuple(assets)))
    form = "setEModeCategory(uint8,uint16,uint16,uint16,address,string)"
    chain.must(admin, configurator, form, CATEGORY, *CATEGORY_TERMS, NOBODY, "mode")
    for asset in market.assets:
        if asset.terms.in_category:
            chain.must(admin, configurator, "setAssetEModeCategory(address,uint8)", asset.token, CATEGORY)
    return market


def pool_v36(chain: Chain) -> Market:
    """Deploy @aave-dao/aave-v3-origin."""
    admin, code = chain.accounts[0], published_v36()
    libraries: dict[str, str] = {}
    for name in ("SupplyLogic", "BorrowLogic", "LiquidationLogic", "PoolLogic", "ConfiguratorLogic", "FlashLoanLogic"):
        libraries[name] = chain.deploy(admin, code[name].linked(libraries))
    oracle = chain.deploy(admin, code["PriceOracle"].bytecode)
    provider = addresses_provider(
        chain, admin, code["PoolAddressesProvider"].bytecode, code["ACLManager"].bytecode, oracle
    )
    strategy = chain.deploy(admin, code["DefaultReserveInterestRateStrategyV2"].bytecode, ("address",), (provider,))
    pool_code = code["PoolInstance"].linked(libraries)
    implementation = chain.deploy(admin, pool_code, ("address", "address"), (provider, strategy))
    chain.must(admin, provider, "setPoolImpl(address)", implementation)
    configurator_code = code["PoolConfiguratorInstance"].linked(libraries)
    chain.must(admin, provider, "setPoolConfiguratorImpl(address)", chain.deploy(admin, configurator_code))
    pool, configurator = chain.ask(
        [Query(provider, "getPool()", (), ("address",)), Query(provider, "getPoolConfigurator()", (), ("address",))]
    )
    a_token = chain.deploy(admin, code["ATokenInstance"].bytecode, ("address",) * 3, (pool, NOBODY, TREASURY))
    v_token = chain.deploy(admin, code["VariableDebtTokenInstance"].bytecode, ("address",) * 2, (pool, NOBODY))
    rates = encode(["uint16", "uint32", "uint32", "uint32"], [8_000, 100, 4_000, 30_000])
    assets = []
    for terms in (*ASSETS[:-1], AssetTerms(18, ASSETS[-1].price, 0, 0, 0, 3_333, in_category=True)):
        token = chain.deploy(
            admin, code["MintableERC20"].bytecode, ("string", "string", "uint8"), ("T", "T", terms.decimals)
        )
        form = "address,address,address,string,string,string,string,bytes,bytes"
        listing = (a_token, v_token, token, *("x",) * 4, b"", rates)
        chain.must(admin, configurator, f"initReserves(({form})[])", [listing])
        assets.append(_listed(chain, pool, token, terms))
    market = finish(Market("aave@3.6", chain, admin, pool, oracle, configurator, tuple(assets)))
    form = "setEModeCategory(uint8,uint16,uint16,uint16,string)"
    chain.must(admin, configurator, form, CATEGORY, *CATEGORY_TERMS, "mode")
    for asset in market.assets:
        if asset.terms.in_category:
            for kind in ("Collateral", "Borrowable"):
                signature = f"setAsset{kind}InEMode(address,uint8,bool)"
                chain.must(admin, configurator, signature, asset.token, CATEGORY, True)
    return market


def _but_decimals(terms: AssetTerms) -> tuple[int, int, int, int, int, bool]:
    return terms.price, terms.ltv, terms.threshold, terms.bonus, terms.fee, terms.in_category


RESERVE_DATA = ("uint256", *("uint128",) * 5, "uint40", "uint16", *("address",) * 4, *("uint128",) * 3)


def _listed(chain: Chain, pool: str, token: str, terms: AssetTerms) -> Asset:
    (data,) = chain.ask([Query(pool, "getReserveData(address)", (token,), RESERVE_DATA)])
    return Asset(terms, token, data[8], data[10])


SETUPS: dict[str, Setup] = {"aave@3.0": pool_v30, "aave@3.6": pool_v36}
