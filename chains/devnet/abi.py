"""Committed contract artifacts: how calls to them are written and how their answers and refusals read.

ABI encoding is eth-abi's; it is imported when first used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, is_dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypedDict

import proofs
from chains.devnet.errors import DevnetError, Reverted
from proofs.keccak import keccak256

ARTIFACT_FOLDERS: Final = (
    Path(__file__).resolve().parent / "contracts" / "artifacts",
    Path(str(proofs.__file__)).resolve().parent / "contracts" / "artifacts",
)
_BUILT_IN: Final = MappingProxyType({"Error": ("string",), "Panic": ("uint256",)})


class Parameter(TypedDict, total=False):
    """Hold one input or output of the ABI."""

    name: str
    type: str
    components: list[Parameter]


class Item(TypedDict, total=False):
    """Hold one entry of an ABI."""

    type: str
    name: str
    inputs: list[Parameter]
    outputs: list[Parameter]


@dataclass(frozen=True, slots=True)
class Artifact:
    """Hold one compiled contract; `storage` maps each state variable's label to its slot."""

    name: str
    abi: tuple[Item, ...]
    bytecode: bytes
    deployed_bytecode: bytes
    storage: Mapping[str, int]

    def creation(self, *arguments: object) -> bytes:
        """Return the code that deploys the contract with these constructor arguments."""
        inputs = next((item["inputs"] for item in self.abi if item["type"] == "constructor"), [])
        return self.bytecode + _encode(inputs, arguments)

    def call(self, function: str, *arguments: object) -> bytes:
        """Return the calldata of a function, which must not be overloaded. Dataclasses stand for structs."""
        item = self._function(function)
        return _selector(item) + _encode(item["inputs"], arguments)

    def decode(self, function: str, answer: bytes) -> tuple[object, ...]:
        """Return the outputs of a function."""
        from eth_abi.abi import decode

        return decode([_type_of(output) for output in self._function(function)["outputs"]], answer)

    def _function(self, name: str) -> Item:
        found = [item for item in self.abi if item["type"] == "function" and item["name"] == name]
        if len(found) != 1:
            raise DevnetError(f"{self.name} has {len(found)} functions named {name}")
        return found[0]


@cache
def load_artifact(name: str) -> Artifact:
    """Load a contract's committed artifact, a toy of the devnet or one of the project's own contracts.

    Raises: `DevnetError` for a name that has none.
    """
    for folder in ARTIFACT_FOLDERS:
        path = folder / f"{name}.json"
        if path.is_file():
            read = json.loads(path.read_text())
            return Artifact(
                name=name,
                abi=tuple(read["abi"]),
                bytecode=bytes.fromhex(read["bytecode"][2:]),
                deployed_bytecode=bytes.fromhex(read["deployedBytecode"][2:]),
                storage=MappingProxyType(
                    {item["label"]: int(item["slot"]) for item in read["storageLayout"]["storage"]}
                ),
            )
    raise DevnetError(f"no artifact of a contract {name}")


def revert_of(what: str, data: bytes) -> Reverted:
    """Decode the data of a revert by the custom errors of all known contracts."""
    from eth_abi.abi import decode

    types = _error_types().get(data[:4])
    if types is None:
        return Reverted(what, "", (), data)
    name, parameters = types
    return Reverted(what, name, decode(list(parameters), data[4:]), data)


def abi_tuple(value: object) -> object:
    """Return the tuple form of dataclasses, also inside tuples and lists, as the ABI wants structs."""
    if is_dataclass(value) and not isinstance(value, type):
        return astuple(value)
    if isinstance(value, tuple | list):
        return tuple(abi_tuple(each) for each in value)
    return value


@cache
def _error_types() -> Mapping[bytes, tuple[str, tuple[str, ...]]]:
    found: dict[bytes, tuple[str, tuple[str, ...]]] = {
        keccak256(f"{name}({','.join(types)})".encode())[:4]: (name, types) for name, types in _BUILT_IN.items()
    }
    for path in (path for folder in ARTIFACT_FOLDERS for path in sorted(folder.glob("*.json"))):
        for item in load_artifact(path.stem).abi:
            if item["type"] == "error":
                found[_selector(item)] = (item["name"], tuple(_type_of(each) for each in item["inputs"]))
    return MappingProxyType(found)


def _selector(item: Item) -> bytes:
    signature = f"{item['name']}({','.join(_type_of(each) for each in item['inputs'])})"
    return keccak256(signature.encode())[:4]


def _type_of(parameter: Parameter) -> str:
    kind = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type_of(each) for each in parameter['components'])}){kind[len('tuple') :]}"


def _encode(inputs: Iterable[Parameter], arguments: Sequence[object]) -> bytes:
    from eth_abi.abi import encode

    return encode([_type_of(each) for each in inputs], [abi_tuple(argument) for argument in arguments])
