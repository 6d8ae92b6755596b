"""What-if over HTTP: a strict body in, changes of `relayer.whatif` out, and its answer as JSON.

Names in a body are those of the policy: a collateral source by chain and symbol (or by its column, where several share
them), a market by the symbol of its asset (or its id), an asset by its symbol. Amounts are decimal strings in units of
the token, sizes in units of the asset, prices in US dollars.

Nothing here writes: the book of the newest frame is read, and what is computed is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import orjson
from pydantic import Field, StrictBool, StrictInt, StrictStr, TypeAdapter, ValidationError, model_validator

from proofs.types import AccountId, Hash32, to_hex
from proofs.units import PPM, parse_decimal
from relayer.api.problems import Code, Problem
from relayer.book import Book
from relayer.config.fields import Table
from relayer.errors import Refused
from relayer.margin.account import can_count
from relayer.margin.explain import view_to_json
from relayer.margin.market import E18_DECIMALS
from relayer.margin.rules import CollateralSource, MarginRules, PositionSource
from relayer.pipeline.records import JsonObject
from relayer.whatif import (
    Change,
    Deposit,
    Flips,
    HaircutSet,
    MarginSet,
    PriceSet,
    PriceShift,
    Trade,
    Withdrawal,
    flips_of,
    whatif,
)

BODY_BYTES_MAX: Final = 32_768
"""Changes at their longest are below 400 bytes each."""
CHANGES_MAX: Final = 32
FLIPS_LISTED_MAX: Final = 1_000
SHIFT_PPM_MAX: Final = 100 * PPM
"""A price shift of a hundredfold; beyond it say the price."""

_Name = Annotated[StrictStr, Field(min_length=1, max_length=256)]
_Decimal = Annotated[StrictStr, Field(pattern=r"^-?(0|[1-9][0-9]{0,37})(\.[0-9]{1,36})?$")]
_Positive = Annotated[StrictStr, Field(pattern=r"^(0|[1-9][0-9]{0,37})(\.[0-9]{1,36})?$")]
_Share = Annotated[StrictInt, Field(ge=0, le=PPM)]


class AmountTable(Table):
    """Move an amount of one collateral source: name it by `chain` and `symbol`, or by `column`."""

    kind: Literal["deposit", "withdraw"]
    amount: _Positive
    chain: _Name | None = None
    symbol: _Name | None = None
    column: _Name | None = None

    @model_validator(mode="after")
    def _require_one_name(self) -> AmountTable:
        is_short = self.chain is not None and self.symbol is not None
        if is_short == (self.column is not None) or (self.chain is None) != (self.symbol is None):
            raise ValueError("name the source by chain and symbol, or by column")
        return self


class TradeTable(Table):
    """Change a position: signed size, and the price (default: the mark against the trader)."""

    kind: Literal["trade"]
    market: _Name
    size: _Decimal
    price: _Positive | None = None


class PriceTable(Table):
    """Move the price of an asset: by a share of itself, or to a price in US dollars."""

    kind: Literal["price"]
    symbol: _Name
    shift_ppm: Annotated[StrictInt, Field(gt=-PPM, le=SHIFT_PPM_MAX)] | None = None
    usd: _Positive | None = None

    @model_validator(mode="after")
    def _require_one_price(self) -> PriceTable:
        if (self.shift_ppm is None) == (self.usd is None):
            raise ValueError("say shift_ppm or usd")
        return self


class HaircutTable(Table):
    """Set both haircuts of an asset."""

    kind: Literal["haircut"]
    symbol: _Name
    maintenance_ppm: _Share
    initial_ppm: _Share


class MarginTable(Table):
    """Set both margin fractions of a market."""

    kind: Literal["margin"]
    market: _Name
    initial_ppm: _Share
    maintenance_ppm: _Share


ChangeTable = Annotated[AmountTable | TradeTable | PriceTable | HaircutTable | MarginTable, Field(discriminator="kind")]


class WhatIfBody(Table):
    """Ask what an account would look like; `flips` asks who else would have another status."""

    account: Annotated[StrictStr, Field(min_length=1, max_length=80)]
    changes: Annotated[list[ChangeTable], Field(max_length=CHANGES_MAX)]
    flips: StrictBool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold a question in words of the domain."""

    account: AccountId
    changes: tuple[Change, ...]
    has_flips: bool


def parse_body(raw: bytes) -> WhatIfBody:
    """Parse a body.

    Raises: Problem MALFORMED_BODY, which names the key and never repeats a value.
    """
    try:
        return _BODY.validate_json(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise Problem(Code.MALFORMED_BODY, f"{place}: {fault['msg']}" if place else str(fault["msg"])) from error


def changes_of(body: WhatIfBody, rules: MarginRules) -> tuple[Change, ...]:
    """Return the changes of a body in words of the policy.

    Raises: Problem CHANGE_REFUSED for a name that the policy does not have.
    """
    try:
        return tuple(_change(table, rules) for table in body.changes)
    except ValueError as error:
        raise Problem(Code.CHANGE_REFUSED, str(error)) from error


def answer_bytes(book: Book, asked: Asked) -> bytes:
    """Answer from one book; for a thread, since a screen of the book and exact looks take up to seconds.

    Raises: Problem CHANGE_REFUSED.
    """
    try:
        found = whatif(book.reader.portfolio(asked.account), book.market, book.rules, asked.changes)
        flips = flips_of(book, asked.account, asked.changes) if asked.has_flips else None
    except Refused as refusal:
        raise Problem(Code.CHANGE_REFUSED, f"{refusal.rule}: {refusal.detail}") from refusal
    document: JsonObject = {
        "schema": "whatif@1",
        "frame": book.frame_s,
        "account": to_hex(asked.account),
        "before": view_to_json(found.before),
        "after": view_to_json(found.after),
        "flips": None if flips is None else _flips_document(flips),
    }
    return orjson.dumps(document)


def body_schemas() -> JsonObject:
    """Return the JSON schemas of the body and its tables by name; `WhatIfBody` is the body."""
    schema = _BODY.json_schema(ref_template="#/components/schemas/{model}")
    tables: JsonObject = schema.pop("$defs")
    return {**tables, "WhatIfBody": schema}


def _flips_document(flips: Flips) -> JsonObject:
    return {
        "is_complete": flips.is_complete,
        "screened": flips.screened,
        "candidates": flips.candidates,
        "looked_at": flips.looked_at,
        "count": len(flips.flips),
        "accounts": [
            {"account": to_hex(one.account), "before": one.before.name.lower(), "after": one.after.name.lower()}
            for one in flips.flips[:FLIPS_LISTED_MAX]
        ],
    }


def _change(table: ChangeTable, rules: MarginRules) -> Change:
    if isinstance(table, AmountTable):
        source = _source(table, rules)
        moved = Deposit if table.kind == "deposit" else Withdrawal
        return moved(source.column, parse_decimal(table.amount, source.decimals))
    if isinstance(table, TradeTable):
        price = None if table.price is None else parse_decimal(table.price, E18_DECIMALS)
        return Trade(_market(table.market, rules).column, parse_decimal(table.size, E18_DECIMALS), price)
    if isinstance(table, HaircutTable):
        return HaircutSet(table.symbol, table.maintenance_ppm, table.initial_ppm)
    if isinstance(table, MarginTable):
        return MarginSet(_market(table.market, rules).column, table.initial_ppm, table.maintenance_ppm)
    if table.shift_ppm is not None:
        return PriceShift(table.symbol, table.shift_ppm)
    usd = parse_decimal(table.usd or "0", E18_DECIMALS)
    return PriceSet(table.symbol, usd, usd)


def _source(table: AmountTable, rules: MarginRules) -> CollateralSource:
    if table.column is not None:
        named = [one for one in rules.collateral if one.column == table.column]
    else:
        named = [one for one in rules.collateral if (one.chain, one.symbol) == (table.chain, table.symbol)]
        named = [one for one in named if can_count(rules, one)] or named
    if len(named) != 1:
        known = ", ".join(sorted({f"{one.symbol} on {one.chain}" for one in rules.collateral}))
        raise ValueError(f"{len(named)} sources have that name; known: {known}")
    return named[0]


def _market(name: str, rules: MarginRules) -> PositionSource:
    named = [one for one in rules.positions if name in (one.symbol, one.column, to_hex(Hash32(one.market)))]
    if len(named) != 1:
        known = ", ".join(sorted({one.symbol for one in rules.positions}))
        raise ValueError(f"{len(named)} markets have that name; known: {known}")
    return named[0]


_BODY: Final = TypeAdapter(WhatIfBody)
