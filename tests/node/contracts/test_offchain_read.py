"""ERC-3668: the guard's question, a client that follows it by hand, and answers to other questions."""

from __future__ import annotations

import pytest
from eth_abi import decode, encode
from eth_utils import function_signature_to_4byte_selector, keccak
from web3.exceptions import OffchainLookup

from tests.node.contracts.venue import Venue, deploy_venue
from tests.node.contracts.wire import Evidence, Leaf, key
from tests.node.contracts.world import OK, Chain, leaf_of

pytestmark = pytest.mark.node

URL = "https://relayer.example/v1/ccip/{sender}/{data}.json"
ROOT = "(bytes32,uint64,uint64,uint64,uint32,uint32,uint64,bytes32,bytes32)"
LEAF = "(bytes32,bytes32,uint8,uint8,uint16,uint128,uint128,uint128,uint128,bytes32)"
EVIDENCE = f"({ROOT},bytes,{LEAF},bytes32[])"
QUESTION = ["bytes32", "bytes32", "uint64"]


@pytest.fixture
def venue(chain: Chain) -> Venue:
    made = deploy_venue(chain)
    chain.send(made.contract.functions.setUrls([URL]))
    return made


def ask(venue: Venue, least_as_of: int) -> dict[str, object]:
    """Call `marginOf`; return what the client is told to fetch."""
    with pytest.raises(OffchainLookup) as raised:
        venue.contract.functions.marginOf(venue.account, least_as_of).call(ccip_read_enabled=False)
    return dict(raised.value.payload)


def answer(e: Evidence) -> bytes:
    return encode([EVIDENCE], [e])


def test_read__followed_by_hand__ends_in_the_verified_leaf(venue: Venue) -> None:
    least = venue.chain.now - 10
    told = ask(venue, least)
    question = bytes(told["callData"])
    assert told["sender"].lower() == venue.contract.address.lower()
    assert tuple(told["urls"]) == (URL,)
    assert question[:4] == function_signature_to_4byte_selector("attestationOf(bytes32,bytes32,uint64)")
    assert decode(QUESTION, question[4:]) == (venue.account, venue.venue_id, least)
    assert bytes(told["extraData"]) == question[4:]

    e = venue.evidence()
    data = bytes(told["callbackFunction"]) + encode(["bytes", "bytes"], [answer(e), bytes(told["extraData"])])
    result = venue.chain.w3.eth.call({"to": venue.contract.address, "data": "0x" + data.hex()})

    leaf, frame, as_of = decode([LEAF, "uint64", "uint64"], bytes(result))
    assert (Leaf(*leaf), frame, as_of) == (e.leaf, e.root.frame, e.root.as_of)


def test_callback__with_an_answer_to_another_question__is_refused(venue: Venue) -> None:
    now = venue.chain.now
    stranger = leaf_of(key(61).address, venue.venue_id)
    e = venue.evidence()
    forged = e._replace(signatures=e.signatures[:-1] + bytes([e.signatures[-1] ^ 1]))

    def refusal(response: bytes, venue_id: bytes = venue.venue_id, least_as_of: int = now) -> str:
        extra = encode(QUESTION, [venue.account, venue_id, least_as_of])
        return venue.chain.refusal(venue.contract.functions.marginOfCallback(response, extra))[0]

    assert refusal(answer(e)) == OK[0]
    assert refusal(answer(venue.evidence(stranger))) == "WrongAccount"
    assert refusal(answer(venue.evidence(venue.leaf(venue_id=keccak(b"elsewhere"))))) == "WrongVenue"
    assert refusal(answer(e), venue_id=keccak(b"elsewhere")) == "WrongVenue"
    assert refusal(answer(e), least_as_of=e.root.as_of) == OK[0]
    assert refusal(answer(e), least_as_of=e.root.as_of + 1) == "AsOfTooOld"
    assert refusal(answer(venue.evidence(policy_id=keccak(b"another")))) == "WrongPolicy"
    assert refusal(answer(forged)) == "SignatureInvalid"
    assert refusal(answer(e)[:-1]) == "bare revert"
    assert refusal(b"") == "bare revert"


def test_callback__with_superseded_evidence__is_refused(venue: Venue) -> None:
    old = venue.evidence()
    venue.chain.mine_at(venue.chain.now + 10)
    venue.chain.send(venue.contract.functions.poke(venue.evidence()))
    extra = encode(QUESTION, [venue.account, venue.venue_id, 0])

    refusal = venue.chain.refusal(venue.contract.functions.marginOfCallback(answer(old), extra))

    assert refusal[0] == "FrameSuperseded"


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ([], OK),
        ([URL, URL], OK),
        (["https://r.example/{sender}/{data}"], OK),
        ([URL, "https://r.example/{sender}"], ("UrlInvalid", (1,))),
        (["https://r.example/{data}"], ("UrlInvalid", (0,))),
        ([""], ("UrlInvalid", (0,))),
        ([URL + "x" * (256 - len(URL))], OK),
        ([URL + "x" * (257 - len(URL))], ("UrlInvalid", (0,))),
        ([URL] * 8, OK),
        ([URL] * 9, ("TooManyUrls", (8,))),
    ],
)
def test_urls__without_both_placeholders_or_beyond_the_bounds__are_refused(
    venue: Venue, urls: list[str], expected: tuple[str, tuple[object, ...]]
) -> None:
    assert venue.chain.refusal(venue.contract.functions.setUrls(urls)) == expected


def test_urls__set_again__replace_the_old_ones(venue: Venue) -> None:
    venue.chain.send(venue.contract.functions.setUrls([URL + "?again"]))

    assert venue.contract.functions.urls().call() == [URL + "?again"]
    assert venue.chain.refusal(venue.contract.functions.setUrls([]), sender=3)[0] == "NotPolicyAdmin"
