"""What is known of a network before it is asked: one TOML file each, parsed strictly.

    id             CAIP-2                          name           for people
    family         a key of `chains.connect.FAMILIES`
    devnet         chain numbers 31337000 to 31337999, and only those
    block_time_ms  mean time between blocks        lag_s          default lag of a policy
    finality       latest, safe, finalized, or { confirmations = n }
    headers        shapes that its headers may have, the usual one first
    evm_number     what the NUMBER opcode returns: the chain's `own` block number, or that of the chain it settles on

Unknown, missing and malformed keys are refused by name. A new network of a known family is one file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from chains.errors import NetworkRefused
from chains.finality import FinalityRule
from proofs.header import HeaderShape
from proofs.types import ChainId, Finality, evm_chain_number, parse_chain_id

__all__ = ["Network", "load_networks", "network_of", "parse_network"]

_KEYS: Final = frozenset(
    {"id", "name", "family", "devnet", "block_time_ms", "lag_s", "finality", "headers", "evm_number"}
)
_TAGS: Final = MappingProxyType({"latest": Finality.LATEST, "safe": Finality.SAFE, "finalized": Finality.FINALIZED})
_DEVNET_GROUP: Final = 31337
_CONFIRMATIONS_MAX: Final = 100_000
_SECONDS_MAX: Final = 3600


@dataclass(frozen=True, slots=True)
class Network:
    """Describe one network."""

    chain: ChainId
    name: str
    family: str
    devnet: bool
    block_time_ms: int
    lag_s: int
    finality: FinalityRule
    headers: tuple[HeaderShape, ...]
    own_number: bool


def network_of(chain: ChainId) -> Network:
    """Return the network of a chain.

    Raises: `NetworkRefused`, naming the known chains, when there is no file for it.
    """
    networks = load_networks()
    if chain not in networks:
        raise NetworkRefused("-", "id", f"no file describes {chain}; known: {', '.join(sorted(networks))}")
    return networks[chain]


@cache
def load_networks() -> Mapping[ChainId, Network]:
    """Return all networks that are shipped, by chain.

    Raises: `NetworkRefused` for a file that breaks a rule, and for two files about one chain.
    """
    networks: dict[ChainId, Network] = {}
    for file in sorted(files("chains").joinpath("networks").iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        network = parse_network(file.read_text(encoding="utf-8"), file.name)
        if network.chain in networks:
            raise NetworkRefused(file.name, "id", f"{network.chain} has a file already")
        networks[network.chain] = network
    return MappingProxyType(networks)


def parse_network(text: str, file: str) -> Network:
    """Parse one network file; `file` is its name in errors.

    Raises: `NetworkRefused`.
    """
    keys = _Keys(_table(text, file), file)
    network = Network(
        chain=keys.chain("id"),
        name=keys.text("name"),
        family=keys.text("family"),
        devnet=keys.flag("devnet"),
        block_time_ms=keys.integer("block_time_ms", 1, 1000 * _SECONDS_MAX),
        lag_s=keys.integer("lag_s", 0, _SECONDS_MAX),
        finality=_finality(keys),
        headers=_headers(keys),
        own_number=_own_number(keys),
    )
    if network.devnet != (evm_chain_number(network.chain) // 1000 == _DEVNET_GROUP):
        raise keys.refused("devnet", "chain numbers 31337000 to 31337999 are devnets, and no others")
    return network


def _table(text: str, file: str) -> Mapping[str, object]:
    try:
        table: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NetworkRefused(file, "-", str(error)) from error
    unknown, missing = table.keys() - _KEYS, _KEYS - table.keys()
    for keys, fault in ((unknown, "is not a known key"), (missing, "is missing")):
        if keys:
            raise NetworkRefused(file, min(keys), fault)
    return table


class _Keys:
    """Read the values of one file, each of one kind."""

    def __init__(self, table: Mapping[str, object], file: str) -> None:
        self._table = table
        self._file = file

    def refused(self, key: str, detail: str) -> NetworkRefused:
        return NetworkRefused(self._file, key, detail)

    def value(self, key: str) -> object:
        return self._table[key]

    def text(self, key: str) -> str:
        value = self._table[key]
        if not isinstance(value, str) or not value.strip():
            raise self.refused(key, "has to be a text")
        return value

    def flag(self, key: str) -> bool:
        value = self._table[key]
        if not isinstance(value, bool):
            raise self.refused(key, "has to be true or false")
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        return self.bounded(key, self._table[key], low, high)

    def bounded(self, key: str, value: object, low: int, high: int) -> int:
        if type(value) is not int or not low <= value <= high:
            raise self.refused(key, f"has to be an integer from {low} to {high}")
        return value

    def chain(self, key: str) -> ChainId:
        try:
            return parse_chain_id(self.text(key))
        except ValueError as error:
            raise self.refused(key, str(error)) from error


def _finality(keys: _Keys) -> FinalityRule:
    value = keys.value("finality")
    if isinstance(value, dict) and value.keys() == {"confirmations"}:
        count = keys.bounded("finality.confirmations", value["confirmations"], 1, _CONFIRMATIONS_MAX)
        return FinalityRule(Finality.CONFIRMATIONS, count)
    if isinstance(value, str) and value in _TAGS:
        return FinalityRule(_TAGS[value])
    raise keys.refused("finality", f"has to be one of {', '.join(_TAGS)}, or {{ confirmations = n }}")


def _headers(keys: _Keys) -> tuple[HeaderShape, ...]:
    value = keys.value("headers")
    known = {str(shape) for shape in HeaderShape}
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name in known for name in value):
        raise keys.refused("headers", f"has to list one or more of {', '.join(sorted(known))}")
    return tuple(HeaderShape(name) for name in value)


def _own_number(keys: _Keys) -> bool:
    value = keys.text("evm_number")
    if value not in ("own", "settlement"):
        raise keys.refused("evm_number", "has to be own or settlement")
    return value == "own"
