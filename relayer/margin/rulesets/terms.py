"""Terms: what a rule set returns, before anybody adds it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from proofs.types import Quality
from relayer.margin.account import Portfolio
from relayer.margin.market import Market
from relayer.margin.rules import MarginRules
from relayer.margin.view import Line, Missing


@dataclass(frozen=True, slots=True)
class Terms:
    """Hold the lines of one account, what could not be used, and the marks of the inputs that did count."""

    lines: tuple[Line, ...]
    missing: tuple[Missing, ...]
    quality: Quality


RuleSet = Callable[[Portfolio, Market, MarginRules], Terms]
