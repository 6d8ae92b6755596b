"""The first documents of a new deployment: commented, complete, with `FILL_IN_...` where only their owner knows. Pure.

No address of a token, a feed or a contract is suggested: a wrong one would read as well as a right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from chains.network import Network
from proofs.types import Finality

PROVIDERS: Final = 3
NATIVE_COINS: Final = MappingProxyType({"eip155:137": ("POL", 966)})
"""Symbol and SLIP-44 number where the native coin is not ether."""
ETHER: Final = ("ETH", 60)


@dataclass(frozen=True, slots=True)
class NamedNetwork:
    """Name a network as its file does."""

    stem: str
    network: Network

    @property
    def upper(self) -> str:
        """Return the stem as environment variables spell it."""
        return self.stem.upper().replace("-", "_")

    @property
    def coin(self) -> tuple[str, int]:
        """Return symbol and SLIP-44 number of the native coin."""
        return NATIVE_COINS.get(self.network.chain, ETHER)


def policy_template(networks: Sequence[NamedNetwork], venue: NamedNetwork) -> str:
    """Return the text of a policy.toml over these networks, with the venue on one of them."""
    lag_s = max(named.network.lag_s for named in networks)
    parts = [
        _HEAD,
        *(
            _CHAIN.format(name=one.network.name, id=one.network.chain, lag_s=lag_s, finality=_finality(one))
            for one in networks
        ),
        *_assets(networks),
        *_prices(networks, venue),
        *(_LOCKBOX.format(name=one.network.name, id=one.network.chain, upper=one.upper) for one in networks),
        _VENUE.format(name=venue.network.name, id=venue.network.chain),
        _SIGNERS,
    ]
    return "\n".join(parts)


def operator_template(networks: Sequence[NamedNetwork]) -> str:
    """Return the text of a relayer.toml with three providers per network, their URLs by reference."""
    providers = [
        _PROVIDER.format(id=one.network.chain, upper=one.upper, number=number)
        for one in networks
        for number in range(1, PROVIDERS + 1)
    ]
    return "\n".join([_OPERATOR_HEAD, *providers, _OPERATOR_TAIL])


def _finality(named: NamedNetwork) -> str:
    rule = named.network.finality
    if rule.kind is Finality.CONFIRMATIONS:
        return f"{{ confirmations = {rule.confirmations} }}"
    return f'"{rule.kind.name.lower()}"'


def _assets(networks: Sequence[NamedNetwork]) -> list[str]:
    coins: dict[str, list[str]] = {}
    for one in networks:
        symbol, number = one.coin
        coins.setdefault(symbol, []).append(f'  {{ id = "{one.network.chain}/slip44:{number}", decimals = 18 }},')
    natives = [_ASSET.format(symbol=symbol, places="\n".join(places)) for symbol, places in coins.items()]
    tokens = [
        f'  {{ id = "{one.network.chain}/erc20:FILL_IN_USDC_ON_{one.upper}", decimals = 6 }},' for one in networks
    ]
    return [*natives, _ASSET.format(symbol="USDC", places="\n".join(tokens))]


def _prices(networks: Sequence[NamedNetwork], venue: NamedNetwork) -> list[str]:
    symbols = dict.fromkeys((*(one.coin[0] for one in networks), "ETH", "USDC"))
    return [_PRICE.format(symbol=symbol, id=venue.network.chain, name=venue.network.name) for symbol in symbols]


_HEAD: Final = """\
# The policy: public, the same for every relayer of a deployment, hashed into every attestation.
# Integers and decimal strings only. Replace every FILL_IN_...; `relayer policy check` names those that are left.

name = "FILL_IN_NAME"            # lower-case letters, digits, - and _
version = 1                      # raise it with every change; a change is another policy with another id
frame_s = 60                     # one attestation every 60 seconds
deadline_s = 20                  # relayers vote this long after the slowest chain is final
lifetime_s = 1800                # an attestation expires this long after its oldest reading
skew_s_max = 1200                # a chain whose block is older than this, beyond its lag, is missing
dust_usd = "1"                   # smaller holdings do not exist
rule_set = "cross_perp@1"
providers = { configured_min = 3, operators_min = 2 }

# How hard a leg must be to fake, by its value: 1 = quorum of providers, 2 = proven against the block's state root.
# A leg that does not reach its level counts as missing. Prices without a storage layout reach 1, as does what they
# price.
assurance = [ { level = 1 } ]

[status]                         # multiples of maintenance margin
warning = "1.20"
margin_call = "1.05"
clear = "1.05"                   # a raised flag lifts from here on ...
dwell_frames = 2                 # ... after so many frames in a row

[encumbrance]                    # the share that counts, by how firmly a holding is bound to the venue
escrowed = "1"
protocol_locked = "0.9"
approved = "0"
free = "0"
"""

_CHAIN: Final = """\
# {name}
[[chain]]
id = "{id}"
lag_s = {lag_s}                       # equal on all chains, so that prices and holdings are of one time
finality = {finality}
bridge_haircut_ppm = 0           # of what lies here, for the way to the venue
"""

_ASSET: Final = """\
[[asset]]
symbol = "{symbol}"
haircut_initial_ppm = 100000     # 10 %
haircut_maintenance_ppm = 50000  # 5 %
places = [
{places}
]
"""

_PRICE: Final = """\
# {symbol} / USD on {name}; heartbeat and decimals as the feed's publisher states them
[[price]]
asset = "{symbol}"
chain = "{id}"
kind = "chainlink"
address = "FILL_IN_{symbol}_USD_FEED"
decimals = 8
heartbeat_s = "FILL_IN_{symbol}_HEARTBEAT_SECONDS"
deviation_ppm_max = 20000        # feeds of one asset may differ by 2 %
"""

_LOCKBOX: Final = """\
# Escrowed collateral on {name}; the code hash pins the storage layout that proofs rely on, and the release delay
[[source]]
kind = "lockbox"
chain = "{id}"
address = "FILL_IN_LOCKBOX_ON_{upper}"
code_hash = "FILL_IN_LOCKBOX_CODE_HASH_ON_{upper}"
release_delay_s = 7200           # what releaseDelay() of the box answers; outlasts lifetime, finality and a frame
encumbrance = "escrowed"
"""

_VENUE: Final = """\
# The venue on {name}. To have positions proven, name its base slots and pin its code:
#   storage = {{ markets_base = 0, positions_base = 0, accounts_base = 0 }}
#   code_hash = "0x..."
[venue]
chain = "{id}"
address = "FILL_IN_VENUE"
verifier = "FILL_IN_MARGIN_VERIFIER"

[[venue.market]]
id = "FILL_IN_MARKET_ID"         # 32 bytes, as the venue names its market
symbol = "ETH"
initial_margin_ppm = 100000
maintenance_margin_ppm = 50000
"""

_SIGNERS: Final = """\
# The set that the verifier holds: 2k - n > f and k <= n - f.
[signers]
addresses = ["FILL_IN_SIGNER"]
k = 1
f = 0
epoch = 0
"""

_OPERATOR_HEAD: Final = """\
# The operator's configuration: private to this machine; decides how it finds things out, never what is true.
# Secrets are references: { env = "NAME" }, { file = "path" } or { command = ["program", "argument"] }.
# Any key can be overridden by a variable: RELAYER__API__LISTEN, RELAYER__PROVIDER__0__NAME.

policy = "policy.toml"
store = "relayer.db"             # or sqlite:///var/lib/margin-relayer/relayer.db
"""

_PROVIDER: Final = """\
[[provider]]
chain = "{id}"
name = "rpc-{number}"
operator = "FILL_IN_OPERATOR_{number}"   # who runs the endpoint: two endpoints of one company are one operator
url = {{ env = "{upper}_RPC_{number}" }}
"""

_OPERATOR_TAIL: Final = """\
# Without a signer the relayer observes only: views, flags and metrics, no attestations.
# [signer]
# kind = "keystore"              # or "key_file": 32 bytes of hex
# path = "signer.json"
# password = { file = "signer.password" }

[api]
listen = "127.0.0.1:8547"

[log]
format = "console"               # or "json"
"""
