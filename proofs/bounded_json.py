"""JSON from strangers: refused when it nests too deeply or holds too many values, before the parser sees it.

The standard parser recurses in C. It is stopped by the interpreter's recursion limit, but that limit belongs to the
whole process and a library may raise it (py_ecc, which eth-account imports, sets 100,000): then deep text ends the
process instead of raising. So depth is counted here first, in linear time.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

JSON_DEPTH_MAX: Final = 64
"""Our own documents nest at most ten deep; keystores and policies less."""
JSON_VALUES_MAX: Final = 2**23
"""An object takes up to fifty times its text. The leaves of 200,000 accounts, all that fits a bundle, are a third."""

# A string without an end counts to the end of the text, so that no byte is looked at twice.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS: Final = re.compile(rb"[^\[\]{}]+")
_OPENING: Final = b"[{"
_BEFORE_VALUES: Final = (b",", b"[", b"{")


def parse_json(raw: bytes, depth_max: int = JSON_DEPTH_MAX) -> Any:  # JSON of any kind; readers check what they take
    """Parse JSON of bounded depth and number of values.

    Raises: ValueError for text that is not UTF-8 JSON, or not within the bounds.
    """
    check_bounds(raw, depth_max)
    return json.loads(raw.decode())  # given bytes, it would also take UTF-16, whose strings end elsewhere


def check_bounds(raw: bytes, depth_max: int = JSON_DEPTH_MAX) -> None:
    """Refuse UTF-8 text that no parser should see; whether it is JSON is not asked.

    Raises: ValueError where it nests deeper than `depth_max` or has more than `JSON_VALUES_MAX` commas and opening
    brackets, those in strings counted too.
    """
    values = sum(map(raw.count, _BEFORE_VALUES))
    if values > JSON_VALUES_MAX:
        raise ValueError(f"{values} values, at most {JSON_VALUES_MAX}")
    depth = 0
    for bracket in _NO_BRACKETS.sub(b"", _STRINGS.sub(b"", raw)):
        depth += 1 if bracket in _OPENING else -1
        if depth > depth_max:
            raise ValueError(f"nested deeper than {depth_max}")
