"""Proofs that must be refused with a named rule, never read as absence and never an untyped error."""

from __future__ import annotations

from itertools import permutations

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from proofs.errors import InvalidProof, LimitExceeded, ProofError, Rule
from proofs.limits import NODE_BYTES_MAX, PROOF_NODES_MAX
from proofs.trie import EMPTY_ROOT, NodeSet, build_trie, verify_proof
from tests.proofs.crafted import (
    DIGITS,
    KEY,
    branch,
    deep_trie,
    extension,
    fork_at,
    hash_of,
    leaf,
    other_leaf,
    reference,
)

ITEMS = {hash_of(index.to_bytes(2, "big")): bytes([1 + index % 100]) * (1 + index % 33) for index in range(300)}
BUILT = build_trie(ITEMS)
ABSENT = next(
    hash_of(seed)
    for seed in (bytes([9, 9, index]) for index in range(256))
    if len(BUILT.prove(hash_of(seed))) == 3 and hash_of(seed) not in ITEMS
)


def refused(root: bytes, key: bytes, proof: list[bytes]) -> InvalidProof:
    with pytest.raises(InvalidProof) as caught:
        verify_proof(root, key, proof)
    return caught.value


def alone(node: bytes, key: bytes = KEY) -> Rule:
    """Return the rule by which a one-node trie is refused."""
    return Rule(refused(hash_of(node), key, [node]).rule)


# --- truncation and emptiness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", list(ITEMS)[:20])
def test_th_019_inclusion__cut_at_every_node__node_missing(key: bytes) -> None:
    proof = BUILT.prove(key)

    for length in range(len(proof)):
        assert refused(BUILT.root, key, proof[:length]).rule == Rule.NODE_MISSING


def test_th_020_exclusion__without_its_terminal_node__node_missing() -> None:
    proof = BUILT.prove(ABSENT)

    assert verify_proof(BUILT.root, ABSENT, proof) is None
    assert refused(BUILT.root, ABSENT, proof[:-1]).rule == Rule.NODE_MISSING


@pytest.mark.parametrize(("proof", "rule"), [([], Rule.NODE_MISSING), ([b"\x80"], Rule.NODE_HASH)])
def test_th_021_empty_proof__non_empty_root__refused(proof: list[bytes], rule: Rule) -> None:
    assert refused(BUILT.root, KEY, proof).rule == rule


@pytest.mark.parametrize("proof", [[b""], [b"\xc0"], [b"\x80", b"\x80"], [b"\x81\x80"], BUILT.prove(next(iter(ITEMS)))])
def test_th_022_empty_root__anything_but_its_two_spellings__refused(proof: list[bytes]) -> None:
    assert refused(EMPTY_ROOT, KEY, proof).rule == Rule.EMPTY_ROOT


# --- another key, another order, more nodes --------------------------------------------------------------------


def test_th_023_proof_of_another_key__all_pairs__value_of_the_asked_key_or_refused() -> None:
    some = [*list(ITEMS)[:40], ABSENT]

    for asked in some:
        for shown in some:
            try:
                value = verify_proof(BUILT.root, asked, BUILT.prove(shown))
            except InvalidProof:
                assert BUILT.prove(asked) != BUILT.prove(shown)
            else:
                assert value == ITEMS.get(asked)
                assert BUILT.prove(asked) == BUILT.prove(shown)


@pytest.mark.parametrize("key", list(ITEMS)[:5])
def test_th_032_order__every_permutation_but_one__refused(key: bytes) -> None:
    proof = BUILT.prove(key)

    for order in permutations(proof):
        if list(order) != proof:
            assert refused(BUILT.root, key, list(order)).rule == Rule.NODE_HASH


@pytest.mark.parametrize("key", [*list(ITEMS)[:5], ABSENT])
def test_th_032_extra_or_doubled_node__at_every_place__refused(key: bytes) -> None:
    proof = BUILT.prove(key)
    foreign = BUILT.prove(list(ITEMS)[100])[-1]

    for place in range(len(proof) + 1):
        for extra in (*proof, foreign, b"", b"\x80", b"junk", b"\xc0"):
            longer = [*proof[:place], extra, *proof[place:]]
            assert longer == proof or refused(BUILT.root, key, longer).rule in (Rule.NODE_EXTRA, Rule.NODE_HASH)


# --- every byte ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [next(iter(ITEMS)), ABSENT])
def test_th_036_every_byte_of_every_node__changed__refused(key: bytes) -> None:
    proof = BUILT.prove(key)

    for place, node in enumerate(proof):
        for offset in range(len(node)):
            for mask in (0x01, 0x80, 0xFF):
                changed = bytearray(node)
                changed[offset] ^= mask
                mutated = [*proof[:place], bytes(changed), *proof[place + 1 :]]
                assert refused(BUILT.root, key, mutated).rule == Rule.NODE_HASH


def test_th_036_node_set_filled_before__changed_node__still_refused() -> None:
    key, nodes = next(iter(ITEMS)), NodeSet()
    proof = BUILT.prove(key)
    nodes.verify(BUILT.root, key, proof)

    for place, node in enumerate(proof):
        mutated = [*proof[:place], node[:-1] + bytes([node[-1] ^ 1]), *proof[place + 1 :]]
        with pytest.raises(InvalidProof):
            nodes.verify(BUILT.root, key, mutated)
    assert nodes.verify(BUILT.root, key, proof) == ITEMS[key]
    assert len(nodes) == len(proof)


def test_th_036_node_set_from_nodes__doubled_or_malformed__refused() -> None:
    node = BUILT.prove(KEY)[0]

    with pytest.raises(InvalidProof) as doubled:
        NodeSet.from_nodes([node, node])
    with pytest.raises(InvalidProof):
        NodeSet.from_nodes([BUILT.prove(next(iter(ITEMS)))[-1] + b"\0"])
    with pytest.raises(InvalidProof) as missing:
        NodeSet.from_nodes([node]).proof(BUILT.root, next(iter(ITEMS)))

    assert doubled.value.rule == Rule.NODE_EXTRA
    assert missing.value.rule == Rule.NODE_MISSING


def test_th_031_child_of_32_bytes__inline_reading__refused() -> None:
    # 28 path nibbles and 14 value bytes make a leaf of exactly 32 bytes.
    exact = leaf(DIGITS[36:], b"\x07" * 14)
    assert len(exact) == 32
    parent = {(int(DIGITS[35], 16) + 1) % 16: reference(other_leaf(36))}
    inline = rlp.encode([*_slots(parent, int(DIGITS[35], 16), rlp.decode(exact)), b""])
    hashed = rlp.encode([*_slots(parent, int(DIGITS[35], 16), hash_of(exact)), b""])
    as_bytes = rlp.encode([*_slots(parent, int(DIGITS[35], 16), exact), b""])

    def proof_of(middle: bytes, *more: bytes) -> tuple[bytes, list[bytes]]:
        top = extension(DIGITS[:35], hash_of(middle))
        return hash_of(top), [top, middle, *more]

    root, proof = proof_of(hashed, exact)
    assert verify_proof(root, KEY, proof) == b"\x07" * 14
    for more in ([], [exact]):
        root, proof = proof_of(inline, *more)
        assert refused(root, KEY, proof).rule == Rule.NODE_INLINE
    root, proof = proof_of(as_bytes)
    assert refused(root, KEY, proof).rule == Rule.NODE_MISSING
    root, proof = proof_of(as_bytes, exact)
    assert refused(root, KEY, proof).rule == Rule.NODE_HASH


def _slots(children: dict[int, object], own: int, child: object) -> list[object]:
    return [child if index == own else children.get(index, b"") for index in range(16)]


def test_th_031_node_below_32_bytes__referenced_by_hash__refused() -> None:
    short = leaf(DIGITS[62:], b"\x05")
    middle = branch({int(DIGITS[61], 16): hash_of(short), (int(DIGITS[61], 16) + 1) % 16: hash_of(b"other")})
    top = extension(DIGITS[:61], hash_of(middle))

    assert refused(hash_of(top), KEY, [top, middle, short]).rule == Rule.NODE_SHORT


@pytest.mark.parametrize("size", [1, 20, 31, 33, 64])
def test_th_031_child_of_another_length__refused(size: int) -> None:
    assert alone(branch({0: hash_of(b"a"), 1: b"\xaa" * size})) == Rule.NODE_REFERENCE
    assert alone(extension(DIGITS[:62], b"\xaa" * size)) == Rule.NODE_REFERENCE


# --- embedded copies -------------------------------------------------------------------------------------------


def test_th_030_repeated_inline_leaf__any_byte_changed_or_doubled__refused() -> None:
    key = KEY
    built = deep_trie(b"\x05")
    proof, short = built.prove_with_copies(key), built.prove(key)
    assert verify_proof(built.root, key, proof) == verify_proof(built.root, key, short) == b"\x05"

    for place in range(len(short), len(proof)):
        node = proof[place]
        for offset in range(len(node)):
            changed = node[:offset] + bytes([node[offset] ^ 1]) + node[offset + 1 :]
            refused(built.root, key, [*proof[:place], changed, *proof[place + 1 :]])
    for extra in (proof[-1], proof[0], b"\x80", b""):
        refused(built.root, key, [*proof, extra])


def test_th_030_single_copy_that_differs__named() -> None:
    inline = leaf(DIGITS[62:], b"\x05")
    padding = {index: reference(other_leaf(62)) for index in range(16) if index != int(DIGITS[61], 16)}
    middle = branch({**padding, int(DIGITS[61], 16): reference(inline)})
    top = extension(DIGITS[:61], hash_of(middle))

    assert refused(hash_of(top), KEY, [top, middle, leaf(DIGITS[62:], b"\x06")]).rule == Rule.EMBEDDED_COPY
    assert refused(hash_of(top), KEY, [top, middle, inline, inline]).rule == Rule.NODE_EXTRA


# --- structures outside the specification ----------------------------------------------------------------------


@pytest.mark.parametrize("flag", range(4, 16))
def test_th_033_flag_nibble__outside_0_to_3__refused(flag: int) -> None:
    path = bytes([flag << 4]) + KEY

    assert alone(rlp.encode([path, b"\x01"])) == Rule.PATH_FLAG


@pytest.mark.parametrize("pad", range(1, 16))
@pytest.mark.parametrize("flag", [0, 2])
def test_th_033_even_path__non_zero_pad__refused(flag: int, pad: int) -> None:
    path = bytes([flag << 4 | pad]) + KEY

    assert alone(rlp.encode([path, b"\x01" * 32])) == Rule.PATH_PADDING


def test_th_033_path__empty_string_or_list__refused() -> None:
    assert alone(rlp.encode([b"", b"\x01" * 40])) == Rule.PATH_FLAG
    assert alone(rlp.encode([[KEY], b"\x01"])) == Rule.PATH_FLAG


def test_th_033_extension__without_path__refused() -> None:
    assert alone(rlp.encode([b"\x00", hash_of(b"child")])) == Rule.EXTENSION_EMPTY


@pytest.mark.parametrize("length", [0, 1, 62, 63, 65, 66])
def test_th_033_leaf__path_of_another_length__refused(length: int) -> None:
    path = (DIGITS + DIGITS)[:length]

    assert alone(leaf(path, b"\x01" * 32)) == Rule.PATH_LENGTH


def test_th_033_extension__whole_key_or_more__refused() -> None:
    assert alone(extension(DIGITS, hash_of(b"child"))) == Rule.PATH_LENGTH
    assert alone(extension(DIGITS + "0", hash_of(b"child"))) == Rule.PATH_LENGTH
    assert alone(extension(DIGITS[:63], hash_of(b"child"))) == Rule.NODE_MISSING


@pytest.mark.parametrize("children", [16, 2])
def test_th_033_branch__below_a_whole_key__refused(children: int) -> None:
    below = branch({index: hash_of(b"child") for index in range(children)})
    bottom = branch({index: hash_of(below) for index in range(16)})
    top = extension(DIGITS[:63], hash_of(bottom))

    error = refused(hash_of(top), KEY, [top, bottom, below])

    assert error.rule == Rule.PATH_LENGTH


def test_th_036_extension__without_a_branch_below__refused() -> None:
    bottom = leaf(DIGITS[10:], b"\x01" * 20)
    lower = extension(DIGITS[10:20], hash_of(b"child"))

    for child in (bottom, lower):
        top = extension(DIGITS[:10], hash_of(child))
        assert refused(hash_of(top), KEY, [top, child]).rule == Rule.EXTENSION_CHILD
    short = rlp.decode(leaf(DIGITS[62:]))
    assert alone(extension(DIGITS[:62], short)) == Rule.EXTENSION_CHILD


@pytest.mark.parametrize("count", [0, 1])
def test_th_036_branch__fewer_than_two_children__refused(count: int) -> None:
    node = branch({int(DIGITS[0], 16): hash_of(b"child")} if count else {}, b"")

    assert alone(node) == (Rule.BRANCH_CHILDREN if count else Rule.NODE_SHORT)
    assert alone(extension(DIGITS[:40], rlp.decode(branch({})))) == Rule.BRANCH_CHILDREN


def test_th_035_branch__with_a_value__refused() -> None:
    children: dict[int, object] = {index: hash_of(bytes([index])) for index in range(16)}

    assert alone(branch(children, b"\x01")) == Rule.BRANCH_VALUE
    assert alone(branch({0: hash_of(b"a"), 1: hash_of(b"b")}, b"\x01")) == Rule.BRANCH_VALUE
    assert alone(branch({0: hash_of(b"a"), 1: hash_of(b"b")}, [b"\x01"])) == Rule.BRANCH_VALUE


@pytest.mark.parametrize("count", [0, 1, 3, 16, 18])
def test_th_036_node__neither_17_nor_2_items__refused(count: int) -> None:
    node = rlp.encode([b"\xaa" * (480 // max(count, 1))] * count)

    assert alone(node) == (Rule.NODE_SHAPE if count else Rule.NODE_SHORT)


@pytest.mark.parametrize("raw", [b"\xaa" * 40, rlp.encode(b"\xaa" * 40), b"\x80" * 32])
def test_th_034_node__no_list__refused(raw: bytes) -> None:
    assert alone(raw) in (Rule.RLP_KIND, Rule.RLP_TRAILING, Rule.RLP_TRUNCATED)


def test_th_034_leaf__empty_value_or_list__refused() -> None:
    assert alone(leaf(DIGITS, b"")) == Rule.VALUE_EMPTY
    assert alone(leaf(DIGITS, [])) == Rule.VALUE_KIND
    assert alone(leaf(DIGITS, [b"\x01", b"\x02"])) == Rule.VALUE_KIND


# --- spelling of nodes -----------------------------------------------------------------------------------------


def _two_children() -> bytes:
    return branch({0: hash_of(b"a"), 1: hash_of(b"b")})


@pytest.mark.parametrize(
    ("node", "rule"),
    [
        (b"\xf9\x00" + bytes([len(_two_children()) - 2]) + _two_children()[2:], Rule.RLP_LENGTH),
        (_two_children() + b"\x00", Rule.RLP_TRAILING),
        (_two_children()[:-1], Rule.RLP_TRUNCATED),
        (b"\xf8\x52" + b"\xb8\x20" + _two_children()[3:], Rule.RLP_LENGTH),
        (b"\xe3\xa1\x20" + KEY + b"\x81", Rule.RLP_TRUNCATED),
        (b"\xe4\xa1\x20" + KEY + b"\x81\x01", Rule.RLP_SINGLE_BYTE),
        (b"\xf8\x23\xa1\x20" + KEY + b"\x01", Rule.RLP_LENGTH),
    ],
)
def test_th_034_node__not_canonical__refused(node: bytes, rule: Rule) -> None:
    assert alone(node) == rule


@pytest.mark.parametrize("count", range(2, 17))
def test_th_034_branch_header__every_other_length_and_form__refused(count: int) -> None:
    node = branch({index: hash_of(bytes([index])) for index in range(count)})
    body = node[2:] if node[0] == 0xF8 else node[3:]
    headers = {bytes([0xF8, length]) for length in range(256)}
    headers |= {b"\xf9" + length.to_bytes(2, "big") for length in range(600)}
    headers |= {bytes([lead]) + node[1 : len(node) - len(body)] for lead in range(256)}

    assert alone(node) == Rule.NODE_MISSING  # the right header: a hashed child follows, digit 0 of KEY is child 0
    for header in headers - {node[: len(node) - len(body)]}:
        with pytest.raises(ProofError) as caught:
            verify_proof(hash_of(header + body), KEY, [header + body])
        assert not isinstance(caught.value, InvalidProof) or caught.value.rule != Rule.NODE_MISSING


@given(st.dictionaries(st.integers(0, 15), st.binary(min_size=32, max_size=32), min_size=2), st.data())
def test_th_034_branch__bytes_changed_under_an_attacker_made_root__typed(
    children: dict[int, object], data: st.DataObject
) -> None:
    node = bytearray(branch(children))
    node[data.draw(st.integers(0, len(node) - 1))] = data.draw(st.integers(0, 255))
    root = hash_of(bytes(node))

    try:
        verdict = verify_proof(root, KEY, [bytes(node)])
    except ProofError:
        return
    assert verdict is None  # the change emptied KEY's slot, or the slot was empty


# --- anything at all -------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=600), max_size=70), st.binary(max_size=40), st.binary(max_size=40))
def test_th_047_random_bytes__only_typed_errors(proof: list[bytes], root: bytes, key: bytes) -> None:
    with pytest.raises(ProofError):
        verify_proof(root, key, proof)


blobs = st.recursive(st.binary(max_size=34), lambda inner: st.lists(inner, min_size=0, max_size=17), max_leaves=25)


@given(blobs, st.booleans())
def test_th_047_random_structures_under_their_own_root__verdict_or_typed_error(blob: object, full_path: bool) -> None:
    node = rlp.encode([b"\x20" + KEY, blob] if full_path else blob)

    try:
        verify_proof(hash_of(node), KEY, [node])
    except ProofError:
        return


@given(st.sampled_from(list(ITEMS)), st.data())
def test_th_032_proof_shuffled_cut_or_spliced__the_same_list_or_refused(key: bytes, data: st.DataObject) -> None:
    pool = [*BUILT.prove(key), *BUILT.prove(data.draw(st.sampled_from(list(ITEMS)))), b"\x80"]
    proof = data.draw(st.lists(st.sampled_from(pool), max_size=6))

    try:
        value = verify_proof(BUILT.root, key, proof)
    except InvalidProof:
        return
    assert proof == BUILT.prove(key)
    assert value == ITEMS[key]


# --- limits ----------------------------------------------------------------------------------------------------


def test_th_047_number_of_nodes__at_the_limit_judged_above_refused() -> None:
    with pytest.raises(InvalidProof):
        verify_proof(BUILT.root, KEY, [b"\x80"] * PROOF_NODES_MAX)
    with pytest.raises(LimitExceeded) as caught:
        verify_proof(BUILT.root, KEY, [b"\x80"] * (PROOF_NODES_MAX + 1))

    assert (caught.value.limit, caught.value.allowed, caught.value.got) == ("PROOF_NODES_MAX", 66, 67)


def test_th_047_size_of_a_node__at_the_limit_judged_above_refused_unhashed() -> None:
    with pytest.raises(InvalidProof):
        verify_proof(BUILT.root, KEY, [bytes(NODE_BYTES_MAX)])
    with pytest.raises(LimitExceeded):
        verify_proof(BUILT.root, KEY, [bytes(NODE_BYTES_MAX + 1)])
    with pytest.raises(LimitExceeded):
        NodeSet.from_nodes([bytes(NODE_BYTES_MAX + 1)])


def test_th_047_largest_honest_branch__has_the_limit_size() -> None:
    assert len(branch({index: hash_of(b"x") for index in range(16)})) == NODE_BYTES_MAX


def test_th_047_node_set__full__refuses_one_more() -> None:
    key = next(iter(ITEMS))
    proof = BUILT.prove(key)

    assert NodeSet(nodes_max=len(proof)).verify(BUILT.root, key, proof) == ITEMS[key]
    with pytest.raises(LimitExceeded):
        NodeSet(nodes_max=len(proof) - 1).verify(BUILT.root, key, proof)


def test_th_047_deep_nesting_inside_a_node__refused() -> None:
    nested: object = b""
    for _ in range(40):
        nested = [nested]

    assert alone(rlp.encode([b"\x20" + KEY, nested])) == Rule.RLP_DEPTH


@pytest.mark.parametrize(
    ("root", "key"), [(b"\0" * 31, KEY), (BUILT.root, KEY[:-1]), (BUILT.root, KEY + b"\0"), (b"", b"")]
)
def test_key_and_root__not_32_bytes__refused(root: bytes, key: bytes) -> None:
    assert refused(root, key, []).rule == Rule.KEY_LENGTH


def test_fork_at__crafted_nodes__are_what_the_builder_makes() -> None:
    bottom = leaf(DIGITS[64:], b"\x01")
    node = fork_at(63, bottom)

    assert node in deep_trie().prove_with_copies(KEY)
