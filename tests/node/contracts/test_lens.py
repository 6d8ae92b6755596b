"""MarginLens, by state override and deployed: format, edges of numbers, hostile tokens, malformed calldata."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from web3.contract import Contract

from tests.node.contracts.lens import BIAS, FAILED, STIPEND, UNUSED, ZERO_ADDRESS, Group, Lens, address_bytes
from tests.node.contracts.world import Chain

pytestmark = pytest.mark.node

HOLDERS = tuple(keccak(bytes([number]))[:20] for number in range(5))
MANNERS = ("Revert", "BurnGas", "Megabyte", "MegabyteRevert", "Short", "Empty", "Invalid", "CallerDependent")


@pytest.fixture(scope="module", params=["state override", "deployed"])
def lens(chain: Chain, request: pytest.FixtureRequest) -> Lens:
    is_deployed = request.param == "deployed"
    return Lens(chain, chain.deploy("MarginLens").address if is_deployed else UNUSED, is_deployed)


@pytest.fixture(scope="module")
def token(chain: Chain) -> Contract:
    """Deploy a token of which holder i has 10**(6 * i) units."""
    contract = chain.deploy("PlainToken")
    for index, holder in enumerate(HOLDERS):
        chain.send(contract.functions.mint(chain.w3.to_checksum_address(holder), 10 ** (6 * index)))
    return contract


def words_token(chain: Chain, *words: int) -> bytes:
    """Deploy a contract that answers with these words."""
    answer = b"".join((word % 2**256).to_bytes(32, "big") for word in words)
    return address_bytes(chain.deploy("WordsToken", answer).address)


def test_answer__of_no_group__is_the_block(lens: Lens) -> None:
    lens.chain.mine_at(lens.chain.now + 1)  # calls on anvil's block 0 see another time than its header's
    block = lens.chain.w3.eth.get_block("latest")

    answer = lens.raw(bytes(2))

    assert answer == block["number"].to_bytes(8, "big") + block["timestamp"].to_bytes(8, "big")


def test_balances__of_tokens_and_coins_in_one_call__stand_in_order(lens: Lens, token: Contract) -> None:
    target = address_bytes(token.address)
    users = tuple(address_bytes(user) for user in lens.chain.users[:3])

    words = lens.read(Group(target, HOLDERS), Group(ZERO_ADDRESS, users, b"", mode=0), Group(target, HOLDERS[::-1]))

    tokens = [10 ** (6 * index) for index in range(5)]
    assert words == tokens + [lens.chain.w3.eth.get_balance(user) for user in lens.chain.users[:3]] + tokens[::-1]


def test_answer__for_many_holders__has_sixteen_bytes_each(lens: Lens, token: Contract) -> None:
    holders = tuple(keccak(number.to_bytes(4, "big"))[:20] for number in range(1_000)) + HOLDERS

    words = lens.read(Group(address_bytes(token.address), holders))

    assert words == [0] * 1_000 + [1, 10**6, 10**12, 10**18, 10**24]


@pytest.mark.parametrize(
    ("word", "packed"),
    [
        (0, 0),
        (1, 1),
        (2**128 - 2, 2**128 - 2),
        (2**128 - 1, FAILED),
        (2**128, FAILED),
        (2**255, FAILED),
        (2**256 - 1, FAILED),
    ],
)
def test_unsigned_word__at_its_edges__is_itself_or_all_ones(lens: Lens, word: int, packed: int) -> None:
    assert lens.read(Group(words_token(lens.chain, word), HOLDERS[:1])) == [packed]


@pytest.mark.parametrize(
    ("word", "packed"),
    [
        (0, BIAS),
        (-1, BIAS - 1),
        (-(2**127), 0),
        (-(2**127) - 1, FAILED),
        (2**127 - 2, 2**128 - 2),
        (2**127 - 1, FAILED),
        (2**127, FAILED),
        (2**255 - 1, FAILED),
        (-(2**255), FAILED),
    ],
)
def test_signed_word__at_its_edges__is_biased_or_all_ones(lens: Lens, word: int, packed: int) -> None:
    assert lens.read(Group(words_token(lens.chain, word), HOLDERS[:1], signed=1)) == [packed]


def test_words__of_which_one_does_not_fit__spoil_only_that_one(lens: Lens) -> None:
    target = words_token(lens.chain, 7, -5, 2**200, 9)

    assert lens.read(Group(target, HOLDERS[:2], words=4, signed=0b0010)) == [7, BIAS - 5, FAILED, 9] * 2


def test_words__more_than_eight__are_unsigned_beyond_the_mask(lens: Lens) -> None:
    target = words_token(lens.chain, *range(10))

    assert lens.read(Group(target, HOLDERS[:1], words=10, signed=0xFF)) == [BIAS + i for i in range(8)] + [8, 9]


def test_words__fewer_than_asked_for__are_a_failure(lens: Lens) -> None:
    target = words_token(lens.chain, 1, 2)

    assert lens.read(Group(target, HOLDERS[:1], words=2)) == [1, 2]
    assert lens.read(Group(target, HOLDERS[:1], words=3)) == [FAILED] * 3


def test_calldata__of_each_shape__is_prefix_and_padded_argument(lens: Lens) -> None:
    echo = address_bytes(lens.chain.deploy("EchoToken").address)
    holder = HOLDERS[0]
    wide = bytes(20) + (2**90).to_bytes(12, "big")
    prefix = (5).to_bytes(32, "big")

    assert lens.read(Group(echo, (wide,), prefix, words=2)) == [5, 2**90]
    assert lens.read(Group(echo, (bytes(16) + holder[:4],), prefix, words=2)) == [5, int.from_bytes(holder[:4], "big")]
    assert lens.read(Group(echo, (b"",), prefix)) == [5]
    assert lens.read(Group(echo, (b"",), prefix, words=2)) == [FAILED, FAILED]
    assert lens.read(Group(echo, (wide,), b"")) == [2**90]
    assert lens.read(Group(echo, (wide, bytes(32)), prefix * 3, words=4)) == [5, 5, 5, 2**90, 5, 5, 5, 0]


def test_target__without_code__is_a_failure_not_a_zero(lens: Lens) -> None:
    assert lens.read(Group(HOLDERS[0], HOLDERS)) == [FAILED] * 5
    assert lens.read(Group((4).to_bytes(20, "big"), HOLDERS[:1])) == [FAILED]  # identity: a precompile has no code


@pytest.mark.parametrize("manner", range(7))
def test_th_011_hostile_token__between_good_ones__spoils_its_own_words_only(
    lens: Lens, token: Contract, manner: int
) -> None:
    hostile = address_bytes(lens.chain.deploy("HostileToken", manner).address)
    good = Group(address_bytes(token.address), HOLDERS)

    words = lens.read(good, Group(hostile, HOLDERS), good)

    tokens = [10 ** (6 * index) for index in range(5)]
    # A megabyte of zeros is an answer whose first word is zero, when the stipend pays for it; here it does not.
    assert words == tokens + [FAILED] * 5 + tokens, MANNERS[manner]


def test_th_011_megabyte__that_the_stipend_pays_for__is_not_copied(lens: Lens) -> None:
    hostile = address_bytes(lens.chain.deploy("HostileToken", MANNERS.index("Megabyte")).address)

    assert lens.read(Group(hostile, HOLDERS[:2], stipend=5_000_000), gas=12_000_000) == [0, 0]


def test_th_011_caller_dependent_token__sees_the_lens(lens: Lens) -> None:
    hostile = address_bytes(lens.chain.deploy("HostileToken", MANNERS.index("CallerDependent")).address)
    seen = int(lens.address, 16)

    assert lens.read(Group(hostile, HOLDERS[:1])) == [min(FAILED, seen)]


def test_th_113_gas_burner__takes_at_most_its_stipend_each_time(lens: Lens) -> None:
    burner = address_bytes(lens.chain.deploy("HostileToken", MANNERS.index("BurnGas")).address)

    assert lens.read(Group(burner, HOLDERS), gas=5 * STIPEND + 300_000) == [FAILED] * 5


def test_scarce_gas__is_a_refusal_of_the_whole_and_never_a_failed_word(lens: Lens, token: Contract) -> None:
    group = Group(address_bytes(token.address), HOLDERS, stipend=1_000_000)
    calldata = (1).to_bytes(2, "big") + group.pack()

    assert lens.refusal(calldata, gas=1_000_000) == "GasTooLow"
    assert lens.read(group, gas=1_200_000) == [10 ** (6 * index) for index in range(5)]


def test_stipend__too_small_for_a_good_token__is_a_failure(lens: Lens, token: Contract) -> None:
    target = address_bytes(token.address)

    assert lens.read(Group(target, HOLDERS[:1], stipend=100), Group(target, HOLDERS[:1])) == [FAILED, 1]
    assert lens.read(Group(target, HOLDERS[:1], stipend=0)) == [FAILED]


def test_group__of_no_argument__answers_nothing(lens: Lens, token: Contract) -> None:
    target = address_bytes(token.address)

    assert lens.read(Group(target, ()), Group(target, HOLDERS[:1])) == [1]


@pytest.mark.parametrize(
    "group",
    [
        Group(HOLDERS[0], HOLDERS, mode=2),
        Group(HOLDERS[0], HOLDERS, mode=255),
        Group(HOLDERS[0], HOLDERS, words=0),
        Group(HOLDERS[0], (b"x" * 19,)),
        Group(HOLDERS[0], (b"x" * 33,)),
        Group(HOLDERS[0], (b"", b"")),
        Group(ZERO_ADDRESS, HOLDERS, b"", mode=0, words=2),
        Group(ZERO_ADDRESS, HOLDERS, b"x", mode=0),
        Group(ZERO_ADDRESS, HOLDERS, b"", mode=0, signed=1),
        Group(ZERO_ADDRESS, (bytes(32),), b"", mode=0),
    ],
)
def test_group__that_breaks_the_format__is_refused(lens: Lens, group: Group) -> None:
    good = Group(ZERO_ADDRESS, HOLDERS, b"", mode=0).pack()

    assert lens.refusal((1).to_bytes(2, "big") + group.pack()) == "Malformed"
    assert lens.refusal((2).to_bytes(2, "big") + good + group.pack()) == "Malformed"


def test_calldata__cut_at_any_byte_or_with_one_more__is_refused(lens: Lens, token: Contract) -> None:
    calldata = (1).to_bytes(2, "big") + Group(address_bytes(token.address), HOLDERS[:2]).pack()

    for length in range(len(calldata)):
        assert lens.refusal(calldata[:length]) == "Malformed"
    assert lens.refusal(calldata + b"\0") == "Malformed"
    assert lens.refusal((2).to_bytes(2, "big") + calldata[2:]) == "Malformed"
    assert lens.refusal(bytes(2) + calldata[2:]) == "Malformed"


def test_count__far_larger_than_the_calldata__is_refused_cheaply(lens: Lens, token: Contract) -> None:
    packed = bytearray(Group(address_bytes(token.address), HOLDERS).pack())
    packed[30:34] = b"\xff" * 4

    assert lens.refusal((1).to_bytes(2, "big") + bytes(packed), gas=200_000) == "Malformed"


def test_groups__of_three_hundred__are_all_answered(lens: Lens, token: Contract) -> None:
    group = Group(address_bytes(token.address), HOLDERS[1:2])

    assert lens.read(*[group] * 300) == [10**6] * 300
