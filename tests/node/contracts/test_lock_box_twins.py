"""Look-alikes of the lock box, read through the adapter, proofs and margin rules: the pin tells them all.

1,000 dollars of the stable token at a haircut of 1 % are 990 dollars of collateral, and nothing else is locked.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proofs.snapshot import Reason, Unavailable
from proofs.types import Address, Assurance, Quality, to_hex
from proofs.units import E18
from relayer.margin.view import MarginView
from tests.node.contracts.boxes import BOX, USDX, Boxes, box_code, one_chain

pytestmark = pytest.mark.node

LOCKED = 1_000 * USDX
COUNTED = 990 * E18


@pytest.fixture
def boxes() -> Iterator[Boxes]:
    with one_chain() as started:
        yield started


def require_counted(view: MarginView) -> None:
    assert view.leaf.collateral_usd == COUNTED
    assert view.leaf.assurance is Assurance.STATE_PROOF
    assert view.quality == Quality.DEVNET


def require_worthless(view: MarginView) -> None:
    """Nothing of it counts, and the leaf says why."""
    assert view.leaf.collateral_usd == 0
    assert not [line for line in view.lines if line.value_usd > 0]
    assert Quality.CODE_CHANGED in view.quality


async def test_th_086_genuine_box__that_the_policy_pins__counts_at_proof_level(boxes: Boxes) -> None:
    boxes.lock(boxes.genuine, LOCKED)

    require_counted(await boxes.view(boxes.policy()))


@pytest.mark.parametrize("shift", [-899, -1, 1])
async def test_th_077_box_of_another_delay__under_the_pin_of_the_right_one__counts_nothing(
    boxes: Boxes, shift: int
) -> None:
    twin = boxes.deploy_box(boxes.world.release_delay_s + shift)
    boxes.lock(twin, LOCKED)

    require_worthless(await boxes.view(boxes.policy(address=to_hex(twin))))


async def test_th_077_delay__shortened_under_the_locks__counts_no_more_from_that_frame_on(boxes: Boxes) -> None:
    boxes.lock(boxes.genuine, LOCKED)
    policy = boxes.policy()
    before = await boxes.view(policy)

    boxes.upgrade(boxes.genuine, box_code(boxes.world.owner, 1))
    after = await boxes.view(policy)
    boxes.upgrade(boxes.genuine, box_code(boxes.world.owner, boxes.world.release_delay_s))
    again = await boxes.view(policy)

    require_counted(before)
    require_worthless(after)
    require_counted(again)


async def test_th_086_twin_of_the_same_code__elsewhere__is_not_the_box_of_the_policy(boxes: Boxes) -> None:
    twin = boxes.deploy_box(boxes.world.release_delay_s)
    assert boxes.code_hash(twin) == boxes.code_hash(boxes.genuine)
    boxes.lock(twin, 5 * LOCKED)
    boxes.lock(boxes.genuine, LOCKED)

    require_counted(await boxes.view(boxes.policy()))


async def test_th_086_generous_front__under_the_pin__counts_nothing(boxes: Boxes) -> None:
    boxes.lock(boxes.genuine, LOCKED)
    boxes.upgrade(boxes.genuine, generous_front(boxes.deploy_box(boxes.world.release_delay_s)))

    require_worthless(await boxes.view(boxes.policy()))


async def test_th_086_generous_front__without_a_pin__contradicts_its_own_storage(boxes: Boxes) -> None:
    """On a devnet no pin is demanded; a proof still speaks of storage, whatever the code says."""
    boxes.lock(boxes.genuine, LOCKED)
    unpinned = boxes.policy(code_hash=None)
    before = await boxes.view(unpinned)
    boxes.upgrade(boxes.genuine, generous_front(boxes.deploy_box(boxes.world.release_delay_s)))

    (outcome,) = (await boxes.readings(unpinned)).outcomes

    require_counted(before)
    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.READING_CONTRADICTS_PROOF
    assert outcome.dishonest


def generous_front(behind: Address) -> bytes:
    """Return code that answers `locked` with 2**100 and delegates everything else to a genuine box's code."""
    is_locked = "5f3560e01c" + "63" + BOX.call("locked", bytes(32), bytes(20), bytes(32))[:4].hex() + "14" + "603b57"
    delegate = "365f5f37" + "5f5f365f73" + behind.hex() + "5af4" + "3d5f5f3e" + "603757" + "3d5ffd" + "5b3d5ff3"
    return bytes.fromhex(is_locked + delegate + "5b600160641b5f5260205ff3")
