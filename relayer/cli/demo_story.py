"""The story of the demo, chapter by chapter: what happens on chain, and what the relayer makes of it.

Every wait is bounded; a step that does not happen ends the demo with the step's name and the relayer's log.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from chains.devnet import actors
from chains.devnet.errors import Reverted
from chains.devnet.seeding import create_accounts
from proofs.types import AccountId, account_of_address, to_hex
from proofs.units import parse_decimal
from relayer.cli.demo_cast import CAST, CURE, FALLEN_PRICE, FALLING, Trader, accounts_of, trader_of
from relayer.cli.demo_client import DemoFailed, Document, Evidence, Service, verify_offline
from relayer.cli.demo_screen import Screen
from relayer.cli.devnet import Site
from relayer.cli.output import Json

FIRST_FRAME_S: Final = 60.0
NEXT_FRAME_S: Final = 45.0
FLAG_S: Final = 45.0
Told = dict[str, Json]


class Story:
    """Act on the world, watch the relayer, show both."""

    def __init__(self, site: Site, service: Service, screen: Screen) -> None:
        self._site, self._service, self._screen = site, service, screen
        self._world = site.world
        self._names = {str(chain.chain): chain.name for chain in site.world.chains}
        self._falling = account_of_address(trader_of(FALLING).address)

    def tell(self) -> Told:
        """Tell everything and return what a script may want to know.

        Raises: DemoFailed, DevnetError.
        """
        self._lock_collateral()
        self._open_positions()
        signed = self._show_margin()
        transaction = self._accept_on_chain(signed)
        flagged_s = self._fall()
        cleared_s = self._cure()
        refusal = self._tamper()
        verdict = self._write_bundle()
        return {
            "accounts": len(CAST),
            "frame": int(str(signed["frame"])),
            "transaction": transaction,
            "flag_raised_after_ms": round(flagged_s * 1000),
            "flag_cleared_after_ms": round(cleared_s * 1000),
            "tampered_leaf": refusal,
            "bundle": str(self._site.directory / "bundle.tar.gz"),
            "bundle_verdict": verdict,
        }

    def _lock_collateral(self) -> None:
        self._screen.chapter("Collateral", "twelve traders lock assets on two or three chains, for this venue")
        accounts = accounts_of(self._world)
        create_accounts(self._world, accounts)
        locks = sum(len(account.locks) for account in accounts)
        self._screen.say(f"{locks} locks for {len(accounts)} accounts on {len(self._world.chains)} chains")
        frame = self._service.wait("the first signed frame", FIRST_FRAME_S, lambda: self._covering(len(accounts)))
        self._screen.say("the relayer's first frame that sees them all pinned these blocks:")
        self._screen.anchors(frame, self._names)

    def _covering(self, count: int) -> Document | None:
        """Return the newest signed frame once it has that many leaves and the venue's policy is in force for it."""
        frame = self._service.signed_frame(0)
        if frame is None:
            return None
        root = _signed(frame)["root"]
        assert isinstance(root, dict)
        number = int(str(frame["frame"]))
        in_force = actors.ask(self._world, "PerpVenue", self._world.venue.address, "policyAt", number)[0]
        return frame if int(root["leaf_count"]) >= count and in_force == _policy_id(root) else None

    def _open_positions(self) -> None:
        self._screen.chapter("Positions", "each trader opens through MarginGuard, with an attestation as evidence")
        with ThreadPoolExecutor(len(CAST)) as pool:
            opened = sum(pool.map(self._open, CAST))
        self._screen.say(f"{opened} positions opened; each time the guard checked signature, leaf, policy, age, excess")

    def _open(self, trader: Trader) -> int:
        account = account_of_address(trader.address)
        for market, size in trader.trades:
            evidence = self._service.wait(
                f"{trader.name}'s attestation", NEXT_FRAME_S, lambda: self._service.evidence(account)
            )
            actors.open_position(self._world, account, market, parse_decimal(size, 18), evidence.arguments())
        return len(trader.trades)

    def _show_margin(self) -> Document:
        opened_s = int(time.time())
        self._screen.chapter("One margin view", "collateral of all chains against positions, exact to 1e-18 USD")
        frame = self._service.wait(
            "a frame with the positions", NEXT_FRAME_S, lambda: self._service.signed_frame(opened_s + 1)
        )
        self._screen.anchors(frame, self._names)
        self._show_accounts()
        attested = _signed(frame)
        root = attested["root"]
        assert isinstance(root, dict)
        self._screen.say(f"signed root of frame {frame['frame']}: accountsRoot {root['accounts_root']}")
        self._screen.say(f"policy {root['policy_id']}, {root['leaf_count']} leaves, valid until {root['valid_until']}")
        return frame

    def _show_accounts(self) -> None:
        rows = []
        for trader in CAST:
            view = self._explained(account_of_address(trader.address))
            rows.append((trader.name, view))
        self._screen.accounts(rows, self._names)

    def _explained(self, account: AccountId) -> Document:
        path = f"/v1/accounts/{to_hex(account)}/explanation"
        return self._service.wait("an account's view", NEXT_FRAME_S, lambda: self._service.get(path))

    def _accept_on_chain(self, frame: Document) -> str:
        self._screen.chapter("Accepted on chain", "the root and its signatures go to MarginVerifier in a transaction")
        evidence = self._evidence(self._falling, int(str(frame["frame"])))
        receipt = actors.post_root(self._world, evidence.root, evidence.signatures)
        digest = to_hex(receipt.hash)
        self._screen.say(
            f"[green]accepted[/]: transaction {digest} in block {receipt.block_number} of {self._world.home.name}"
        )
        self._screen.say(
            f"event RootPosted(policyId, frame {evidence.root.frame}): any leaf now verifies without signatures"
        )
        return digest

    def _fall(self) -> float:
        symbol, price = FALLEN_PRICE
        self._screen.chapter("A price falls", f"{symbol} goes to {price} on chain; nobody tells the relayer")
        actors.set_price(self._world, symbol, price)
        started_s = time.monotonic()
        first = self._service.wait("the flag", FLAG_S, lambda: self._service.flag(self._falling))
        seen_s = time.monotonic() - started_s
        self._screen.say(f"{FALLING}: [bold red]{first['state']}[/] {seen_s:.1f} s after the price was mined")
        final = self._service.wait("the final flag", FLAG_S, lambda: self._flag_in("raised"))
        flagged_s = time.monotonic() - started_s
        self._screen.say(f"{FALLING}: [bold red]{final['state']}[/] on exact figures, after {flagged_s:.1f} s, because")
        reasons = final["reasons"]
        assert isinstance(reasons, list)
        self._screen.reasons([str(reason) for reason in reasons])
        self._show_accounts()
        return flagged_s

    def _flag_in(self, state: str) -> Document | None:
        flag = self._service.flag(self._falling)
        return flag if flag is not None and flag["state"] == state else None

    def _cure(self) -> float:
        letter, symbol, amount = CURE
        chain = self._world.chain(letter)
        self._screen.chapter(
            "Somebody helps", f"{amount} {symbol} more is locked for {FALLING} on {chain.name}, another chain"
        )
        place = self._world.place(letter, symbol)
        actors.lock_more(self._world, letter, self._falling, symbol, parse_decimal(amount, place.decimals))
        started_s = time.monotonic()
        self._service.wait(
            "the flag's end", FLAG_S, lambda: True if self._service.flag(self._falling) is None else None
        )
        cleared_s = time.monotonic() - started_s
        view = self._explained(self._falling)
        self._screen.say(
            f"{FALLING}: [green]cleared[/] after {cleared_s:.1f} s (above the clear level for two frames in a row)"
        )
        self._screen.accounts([(FALLING, view)], self._names)
        return cleared_s

    def _tamper(self) -> str:
        self._screen.chapter("A lie is refused", "one unit is added to a leaf's collateral, all else stays as signed")
        evidence = self._evidence(self._falling, 0)
        actors.call_verify(self._world, *evidence.arguments())
        self._screen.say("the honest leaf: [green]accepted")
        forged = replace(evidence, leaf=replace(evidence.leaf, collateral_usd=evidence.leaf.collateral_usd + 1))
        try:
            actors.call_verify(self._world, *forged.arguments())
        except Reverted as refusal:
            self._screen.say(f"the tampered leaf: [bold red]reverted[/] with {refusal.error}")
            return refusal.error
        raise DemoFailed("the verifier accepted a tampered leaf")

    def _write_bundle(self) -> str:
        self._screen.chapter("Evidence", "the last frame's bundle is written, and verified offline by another process")
        frame = self._service.wait("a signed frame", NEXT_FRAME_S, lambda: self._service.signed_frame(0))
        path = f"/v1/frames/{frame['frame']}/bundle"
        archive = self._service.wait("the bundle", NEXT_FRAME_S, lambda: self._service.get_bytes(path))
        bundle = self._site.directory / "bundle.tar.gz"
        bundle.write_bytes(archive)
        code, envelope = verify_offline(bundle)
        data = envelope["data"]
        assert isinstance(data, dict)
        self._screen.say(
            f"{bundle.name}: {len(archive):,} bytes, relayer verify ended with {code}: [bold]{data['verdict']}"
        )
        self._screen.say(f"verified: {', '.join(_steps(data))}")
        self._screen.say("what a file alone cannot show:")
        self._screen.reasons(_unverified(data))
        if code not in (0, 5):
            raise DemoFailed(f"the bundle did not verify: {envelope['errors']}")
        return str(data["verdict"])

    def _evidence(self, account: AccountId, at_least: int) -> Evidence:
        return self._service.wait("an attestation", NEXT_FRAME_S, lambda: self._service.evidence(account, at_least))


def _signed(frame: Document) -> Document:
    signed = frame["signed"]
    assert isinstance(signed, dict)
    return signed


def _policy_id(root: dict[str, object]) -> bytes:
    return bytes.fromhex(str(root["policy_id"])[2:])


def _steps(data: Document) -> list[str]:
    """Return the names of the verified steps, each once, in order."""
    checks = data["checks"]
    assert isinstance(checks, list)
    return list(dict.fromkeys(str(check["step"]) for check in checks if not check["fault"]))


def _unverified(data: Document) -> list[str]:
    """Return what was not verified; what is said of every chain alike is said once, without its numbers."""
    items = data["unverified"]
    assert isinstance(items, list)
    said = (re.sub(r"^eip155:[0-9]+: |block [0-9]+ 0x[0-9a-f]+", _general, str(item)) for item in items)
    return list(dict.fromkeys(said))


def _general(match: re.Match[str]) -> str:
    return "each block" if match.group().startswith("block") else "each chain: "
