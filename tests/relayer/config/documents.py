"""A whole policy and a whole configuration, and how a test changes one key of them."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

from relayer.config.document import Document
from relayer.config.policy import Policy
from relayer.config.policy_document import parse_policy
from relayer.errors import ConfigError

POLICY_TEXT = (Path(__file__).parent / "policy.toml").read_text()
OPERATOR_TEXT = (Path(__file__).parent / "relayer.toml").read_text()


def toml_of(value: Any) -> str:
    """Write a value in TOML's inline form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_of(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml_of(item) for item in value) + "]"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


def document_text(document: Document) -> str:
    """Write a whole document, one key a line."""
    return "\n".join(f"{key} = {toml_of(value)}" for key, value in document.items()) + "\n"


def changed(text: str, path: str, value: Any) -> str:
    """Return the document with the value at `a.0.b` replaced; None removes the key."""
    document = copy.deepcopy(tomllib.loads(text))
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    node: Any = document
    for part in parents:
        node = node[part]
    if value is None:
        del node[last]
    elif isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value
    return document_text(document)


def policy() -> Policy:
    """Return the sample policy."""
    return parse_policy(POLICY_TEXT)


def faults(text: str) -> list[tuple[str, str]]:
    """Return key and problem of every fault of a policy text, or nothing when it is accepted."""
    try:
        parse_policy(text)
    except ConfigError as error:
        return [(fault.key, fault.problem) for fault in error.faults]
    return []
