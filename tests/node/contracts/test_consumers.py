"""A kit for venues: every function that takes evidence refuses evidence that is forged, foreign or unknown."""

from __future__ import annotations

import pytest
from eth_utils import keccak

from tests.node.contracts.venue import ACTS, RULES, Venue, deploy_venue
from tests.node.contracts.wire import POLICY, Evidence, key
from tests.node.contracts.world import OK, Chain, leaf_of

pytestmark = pytest.mark.node


def bad_evidence(venue: Venue, status: int) -> dict[str, Evidence]:
    """Make evidence that each act must refuse though its figures would do."""
    good = venue.evidence(venue.leaf(status=status))
    stranger = leaf_of(key(61).address, venue.venue_id, status=status)
    return {
        "forged": good._replace(signatures=good.signatures[:-1] + bytes([good.signatures[-1] ^ 1])),
        "unsigned": good._replace(signatures=b""),
        "another account's": venue.evidence(stranger),
        "another venue's": venue.evidence(venue.leaf(status=status, venue_id=keccak(b"elsewhere"))),
        "another policy's": venue.evidence(venue.leaf(status=status), policy_id=keccak(b"another")),
        "unknown": venue.evidence(venue.leaf(status=0)),
    }


def unguarded(venue: Venue) -> dict[str, list[str]]:
    """Name the functions that accept what they must refuse, with what they accepted."""
    accepted: dict[str, list[str]] = {}
    for name in ACTS:
        for manner, e in bad_evidence(venue, 4 if name == "liquidate" else 1).items():
            if venue.refusal(name, 1, e) == OK:
                accepted.setdefault(name, []).append(manner)
    return accepted


def test_th_112_kit__against_a_guarded_venue__finds_nothing(chain: Chain) -> None:
    assert unguarded(deploy_venue(chain)) == {}


def test_th_112_kit__against_a_faulty_venue__names_each_unguarded_function(chain: Chain) -> None:
    sound = deploy_venue(chain)
    faulty = chain.deploy("FaultyVenue", sound.quorum.verifier.address, chain.users[0], POLICY, 100, list(RULES))

    found = unguarded(Venue(chain, sound.quorum, faulty, faulty.functions.venueId().call()))

    assert found == {
        "open": [
            "forged",
            "unsigned",
            "another account's",
            "another venue's",
            "another policy's",
            "unknown",
        ],
        "withdraw": ["another account's"],
        "liquidate": ["forged", "unsigned", "another venue's", "another policy's"],
    }
