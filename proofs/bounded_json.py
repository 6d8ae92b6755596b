"""JSON from strangers: refused when it nests too deeply, before the parser sees it.

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

# A string without an end counts to the end of the text, so that no byte is looked at twice.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS: Final = re.compile(rb"[^\[\]{}]+")
_OPENING: Final = b"[{"


def parse_json(raw: bytes, depth_max: int = JSON_DEPTH_MAX) -> Any:  # JSON of any kind; readers check what they take
    """Parse JSON of bounded depth.

    Raises: ValueError for text that is not UTF-8 JSON or nests deeper than `depth_max`.
    """
    depth = 0
    for bracket in _NO_BRACKETS.sub(b"", _STRINGS.sub(b"", raw)):
        depth += 1 if bracket in _OPENING else -1
        if depth > depth_max:
            raise ValueError(f"nested deeper than {depth_max}")
    return json.loads(raw.decode())  # given bytes, it would also take UTF-16, whose strings end elsewhere
