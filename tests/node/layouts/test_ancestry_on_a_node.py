"""Headers of every fork and ancestry by EIP-2935, as a real node serves them."""

from __future__ import annotations

import pytest

from chains.devnet.nodes import AnvilNode, start_anvil
from chains.families.evm_codec import Wire
from proofs.account import AccountAnswer
from proofs.ancestry import HISTORY_ADDRESS, check_ancestor, verify_ancestor
from proofs.errors import InvalidHeader, InvalidProof, Rule
from proofs.header import Header, HeaderShape, check_header, header_rlp_from_json
from proofs.types import parse_hash, to_hex

pytestmark = pytest.mark.node

FORKS = {
    "berlin": HeaderShape.BERLIN,
    "london": HeaderShape.LONDON,
    "shanghai": HeaderShape.SHANGHAI,
    "cancun": HeaderShape.CANCUN,
    "prague": HeaderShape.PRAGUE,
    "osaka": HeaderShape.PRAGUE,
}


def block_of(node: AnvilNode, number: int) -> dict[str, object]:
    block = node.rpc("eth_getBlockByNumber", [hex(number), False])
    assert isinstance(block, dict)
    return dict(block)


def rlp_of(node: AnvilNode, number: int, shape: HeaderShape) -> tuple[bytes, Header]:
    block = block_of(node, number)
    rlp = header_rlp_from_json(block, shape)
    return rlp, check_header(rlp, shape, parse_hash(str(block["hash"])))


def history(node: AnvilNode, number: int, head: int) -> AccountAnswer:
    key = to_hex((number % 8191).to_bytes(32, "big"))
    return Wire("node").account_answer(node.rpc("eth_getProof", [to_hex(HISTORY_ADDRESS), [key], hex(head)]))


@pytest.mark.parametrize("fork", FORKS)
def test_th_037_header__of_each_fork_from_a_node__hashes_by_its_own_shape_alone(fork: str) -> None:
    with start_anvil(31337001, block_time_s=None, extra=("--hardfork", fork)) as node:
        node.rpc("anvil_mine", ["0x3"])
        rlp_of(node, 2, FORKS[fork])
        block = block_of(node, 2)

        fitting = set()
        for shape in HeaderShape:
            try:
                check_header(header_rlp_from_json(block, shape), shape, parse_hash(str(block["hash"])))
            except InvalidHeader:
                continue
            fitting.add(shape)

    same = {HeaderShape.LONDON, HeaderShape.ARBITRUM}  # one field count; Arbitrum differs in what extraData holds
    assert fitting == (same if FORKS[fork] in same else {FORKS[fork]})


def test_ancestry__of_a_node_across_the_turn_of_the_buffer__authenticates_old_headers() -> None:
    """Blocks 8185 to 8205: the slots go over from 8190 to 0 in between."""
    with start_anvil(31337001, block_time_s=None, extra=("--number", "8185")) as node:
        node.rpc("anvil_mine", [hex(20)])
        _, head = rlp_of(node, 8205, HeaderShape.PRAGUE)
        for number in (8204, 8191, 8190, 8185):
            rlp, expected = rlp_of(node, number, HeaderShape.PRAGUE)
            header = check_ancestor(head, number, history(node, number, 8205), rlp)
            assert header == expected

        with pytest.raises(InvalidProof) as caught:
            verify_ancestor(head, 8200 - 8191, history(node, 8200 - 8191, 8205))
        assert caught.value.rule == Rule.ANCESTOR_WINDOW
        with pytest.raises(InvalidProof) as caught:
            verify_ancestor(head, 8184, history(node, 8184, 8205))
        assert caught.value.rule == Rule.ANCESTOR_ABSENT

        # An old block is a head of its own: its state proves what lies before it.
        _, middle = rlp_of(node, 8195, HeaderShape.PRAGUE)
        assert (
            verify_ancestor(middle, 8186, history(node, 8186, 8195)) == rlp_of(node, 8186, HeaderShape.PRAGUE)[1].hash
        )


def test_ancestry__before_prague__refused() -> None:
    with start_anvil(31337001, block_time_s=None, extra=("--hardfork", "cancun")) as node:
        node.rpc("anvil_mine", ["0x3"])
        _, head = rlp_of(node, 3, HeaderShape.CANCUN)

        with pytest.raises(InvalidProof) as caught:
            verify_ancestor(head, 2, history(node, 2, 3))
        assert caught.value.rule == Rule.ANCESTOR_CODE
