"""Random wire structs, edge values often, drawn from a seed: the same on every machine."""

from __future__ import annotations

from random import Random

from proofs.attestation import ChainAnchor, MarginLeaf, MarginLeg, MarginRoot
from proofs.types import AccountId, Assurance, Encumbrance, Finality, Hash32, LegKind, Quality, Status


def hash32(random: Random) -> Hash32:
    return Hash32(random.choice((bytes(32), b"\xff" * 32, random.randbytes(32), random.randbytes(32))))


def unsigned(random: Random, bits: int) -> int:
    return random.choice((0, 1, 2**bits - 1, 2 ** (bits - 1), random.getrandbits(bits), random.getrandbits(8)))


def signed(random: Random) -> int:
    return random.choice((0, -1, 1, 2**255 - 1, -(2**255), random.getrandbits(255), -random.getrandbits(255)))


def root(random: Random) -> MarginRoot:
    times = (unsigned(random, 64) for _ in range(3))
    small = (unsigned(random, 32) for _ in range(2))
    return MarginRoot(hash32(random), *times, *small, unsigned(random, 64), hash32(random), hash32(random))


def leaf(random: Random) -> MarginLeaf:
    return MarginLeaf(
        AccountId(hash32(random)),
        hash32(random),
        random.choice(list(Status)),
        random.choice(list(Assurance)),
        Quality(random.choice((0, 1023, random.getrandbits(10)))),
        *(unsigned(random, 128) for _ in range(4)),
        hash32(random),
    )


def anchor(random: Random) -> ChainAnchor:
    return ChainAnchor(
        hash32(random),
        unsigned(random, 64),
        hash32(random),
        hash32(random),
        unsigned(random, 64),
        random.choice(list(Finality)),
        hash32(random),
    )


def leg(random: Random) -> MarginLeg:
    return MarginLeg(
        hash32(random),
        hash32(random),
        hash32(random),
        random.choice(list(LegKind)),
        random.choice(list(Encumbrance)),
        random.choice(list(Assurance)),
        signed(random),
        unsigned(random, 256),
        unsigned(random, 32),
        signed(random),
        signed(random),
        unsigned(random, 128),
        unsigned(random, 128),
    )
