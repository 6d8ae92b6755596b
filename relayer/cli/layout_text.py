"""A finding of `layouts find` as JSON, as lines for people, and as the TOML to paste into a policy. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chains.discovery_asking import Code, Finding, Verdict
from proofs.pins import EIP1967_BEACON_SLOT, EIP1967_SLOT
from proofs.types import Address, ChainId, to_hex
from relayer.cli.output import Json


@dataclass(frozen=True, slots=True)
class Found:
    """Hold what was found, whether `isBlacklisted` answers, how many nodes were asked, and where they disagree."""

    chain: ChainId
    token: Address
    finding: Finding
    freezes: bool
    nodes: int
    disputes: tuple[str, ...]


def found_json(found: Found) -> dict[str, Json]:
    """Return all of it as JSON."""
    finding = found.finding
    return {
        "chain": found.chain,
        "token": to_hex(found.token),
        "block": {"number": finding.block.number, "hash": to_hex(finding.block.hash)},
        "code": _code_json(finding.code),
        "holders": [{"address": to_hex(holder), "balance": str(balance)} for holder, balance in finding.balances],
        "layouts": [_verdict_json(found, verdict) for verdict in finding.verdicts],
        "checked": list(checks(found)),
        "notes": [*finding.notes, *warnings(found)],
    }


def found_lines(found: Found) -> Iterator[str]:
    """Yield it as lines for people, the TOML of the best hypothesis last."""
    finding = found.finding
    yield f"token {to_hex(found.token)} on {found.chain}, block {finding.block.number} {to_hex(finding.block.hash)}"
    for verdict in finding.verdicts:
        state = "CONFIRMED" if verdict.is_confirmed else "not confirmed"
        agreed = f"{verdict.agreeing} of {verdict.asked} holders agree, {verdict.distinct} different balances"
        yield f"  {state}: {inline(verdict)} ({agreed})"
    for check in checks(found):
        yield f"checked: {check}"
    for note in (*finding.notes, *warnings(found)):
        yield f"note: {note}"
    if confirmed(found):
        yield "hypothesis, review before use:"
        yield ""
        yield toml_of(found, finding.verdicts[0])


def confirmed(found: Found) -> tuple[Verdict, ...]:
    """Return what every node confirmed."""
    return () if found.disputes else tuple(verdict for verdict in found.finding.verdicts if verdict.is_confirmed)


def checks(found: Found) -> Iterator[str]:
    """Yield what was checked, and on whose word it rests."""
    finding = found.finding
    yield "the header's fields make the block hash; account and storage proofs lead from its state root to every word"
    for verdict in finding.verdicts[:1]:
        if verdict.follows:
            yield "balanceOf of a holder follows two random words put at its slot, as the layout says"
        yield f"proven words of {verdict.asked} holders against balanceOf: {verdict.agreeing} equal"
    if found.nodes == 1:
        yield "by ONE node: that the block exists and what balanceOf returns rest on its word alone"
    else:
        yield f"by {found.nodes} nodes at the same block hash; what balanceOf returns rests on their word"


def warnings(found: Found) -> Iterator[str]:
    """Yield what a reviewer must look at."""
    code = found.finding.code
    if code.slot == EIP1967_BEACON_SLOT:
        yield "a beacon proxy: the implementation is named by the beacon, pin both with [[source.pin]]"
    best = next(iter(found.finding.verdicts), None)
    if best and found.freezes and best.hypothesis.kind != "usdc_packed":
        yield 'isBlacklisted(address) answers: add frozen = { getter = "isBlacklisted(address)" }'


def toml_of(found: Found, verdict: Verdict) -> str:
    """Return the source of a policy that has this layout."""
    lines = ["[[source]]", 'kind = "erc20"', f'chain = "{found.chain}"', f'address = "{to_hex(found.token)}"']
    lines += ['encumbrance = "free"', *_code_lines(found.finding.code), f"storage = {inline(verdict)}"]
    for address, code in verdict.rates:
        lines += ["", "[[source.pin]]", f'address = "{to_hex(address)}"', *_code_lines(code)]
    return "\n".join(lines)


def inline(verdict: Verdict) -> str:
    """Return the layout as an inline table."""
    params = {"layout": verdict.hypothesis.kind, **verdict.hypothesis.params}
    if params["layout"] == "solidity_mapping":
        del params["layout"]
    shown = (
        f"{key} = {value if isinstance(value, int) else chr(34) + value + chr(34)}" for key, value in params.items()
    )
    return "{ " + ", ".join(shown) + " }"


def _code_lines(code: Code) -> list[str]:
    lines = [f'code_hash = "{to_hex(code.token)}"']
    if code.implementation is not None and code.implementation_code is not None:
        lines.append(f'implementation = "{to_hex(code.implementation)}"')
        lines.append(f'implementation_code_hash = "{to_hex(code.implementation_code)}"')
        if code.slot not in (None, EIP1967_SLOT):
            lines.append(f'implementation_slot = "{code.slot:#066x}"')
    return lines


def _code_json(code: Code) -> dict[str, Json]:
    return {
        "code_hash": to_hex(code.token),
        "implementation_slot": None if code.slot is None else f"{code.slot:#066x}",
        "implementation": None if code.implementation is None else to_hex(code.implementation),
        "implementation_code_hash": None if code.implementation_code is None else to_hex(code.implementation_code),
    }


def _verdict_json(found: Found, verdict: Verdict) -> dict[str, Json]:
    return {
        "layout": verdict.hypothesis.kind,
        "params": dict(verdict.hypothesis.params),
        "confirmed": verdict in confirmed(found),
        "follows": verdict.follows,
        "agreeing": verdict.agreeing,
        "asked": verdict.asked,
        "distinct": verdict.distinct,
        "toml": toml_of(found, verdict) if verdict in confirmed(found) else None,
    }
