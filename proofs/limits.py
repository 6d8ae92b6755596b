"""Every bound on untrusted input of `proofs`, with its derivation.

A bound is checked before bytes are hashed, decoded or copied. Bounds are exact maxima of the format
wherever the format has one; the others say which real input they leave room for.
"""

from typing import Final

__all__ = [
    "ACCOUNT_BYTES_MAX",
    "ANSWER_NODES_MAX",
    "HEADER_BYTES_MAX",
    "HEADER_EXTRA_BYTES_MAX",
    "MERKLE_LEAVES_MAX",
    "MERKLE_PROOF_WORDS_MAX",
    "NODE_BYTES_MAX",
    "NODE_SET_NODES_MAX",
    "PROOF_BYTES_MAX",
    "PROOF_KEYS_MAX",
    "PROOF_NODES_MAX",
    "PROOF_SLOTS_MAX",
    "PROOF_TARGETS_MAX",
    "QUESTION_ROWS_MAX",
    "RLP_BYTES_MAX",
    "RLP_DEPTH_MAX",
    "STORAGE_VALUE_BYTES_MAX",
    "TRIE_KEY_NIBBLES",
    "TRIE_VALUE_BYTES_MAX",
]

# A trie key is a 32-byte hash: two nibbles a byte.
TRIE_KEY_NIBBLES: Final = 64

# Each branch or extension on the path uses up at least one nibble, then comes the leaf: 65 nodes. One more is
# left for a repeated embedded leaf. (A repeated inline node stands for a node of the path, so 65 is never passed.)
PROOF_NODES_MAX: Final = TRIE_KEY_NIBBLES + 1 + 1

# The largest node of a trie with 32-byte keys is a branch with 16 hashed children and no value:
# 3 bytes of list header + 16 * (1 + 32) + 1.
NODE_BYTES_MAX: Final = 3 + 16 * 33 + 1

# One proof: every element at its largest.
PROOF_BYTES_MAX: Final = PROOF_NODES_MAX * NODE_BYTES_MAX

# Clients cap the keys of one eth_getProof at 1000 or 1024 (geth, bsc 1024; erigon, sei 1000).
PROOF_KEYS_MAX: Final = 1000

# One answer: the account proof and one proof per key.
ANSWER_NODES_MAX: Final = (PROOF_KEYS_MAX + 1) * PROOF_NODES_MAX

# Unique nodes kept while the answers of one block are verified: four worst-case answers of 1000 keys
# (264,264), rounded down to a power of two; at most 133 MiB of node bytes.
NODE_SET_NODES_MAX: Final = 2**18

# Contracts and holders proven at one block, an account proof each. A mainnet account adds four or five nodes that it
# shares with no other, so this many fill a third of the node set and leave the rest to storage; a node answers some
# hundred such questions a second.
PROOF_TARGETS_MAX: Final = 2**14

# Storage slots that a bundle proves at one block. A slot that holds something has a leaf of its own, so honest ones
# fill the node set first; a made-up trie of 65 nodes leads every slot to the bottom, a quarter of a millisecond each.
PROOF_SLOTS_MAX: Final = 2**20

# Rows of all columns with a layout that a bundle asks of one chain: 200,000 accounts, all that fits a bundle, in forty
# columns. Their slots are computed one by one and take a gigabyte.
QUESTION_ROWS_MAX: Final = 2**23

# Account body: list header 2, nonce 1 + 8, balance 1 + 32, two hashes of 1 + 32.
ACCOUNT_BYTES_MAX: Final = 2 + 9 + 33 + 33 + 33

# Storage value: an RLP integer of at most 32 bytes.
STORAGE_VALUE_BYTES_MAX: Final = 1 + 32

# The longer of the two kinds of value that a state or storage trie holds.
TRIE_VALUE_BYTES_MAX: Final = max(ACCOUNT_BYTES_MAX, STORAGE_VALUE_BYTES_MAX)

# Extra data: 32 bytes on mainnet and 97 on clique; Bor's validator lists (105 * 40 + 97 = 4,297 bytes) and its
# dependency lists are the largest known.
HEADER_EXTRA_BYTES_MAX: Final = 12 * 1024

# Largest header apart from the extra data: nine 32-byte fields (297), address (21), bloom (259), nonce (9),
# eight integers of at most 33 bytes (264), headers of the list and of the extra data (3 + 4): 857, rounded up to 1 KiB.
HEADER_BYTES_MAX: Final = HEADER_EXTRA_BYTES_MAX + 1024

# Nested lists. A hashed node can hold inline extension > branch > leaf, which is 4; doubled.
RLP_DEPTH_MAX: Final = 8

# Generic decoding without a tighter bound of its own. Nothing that we decode generically comes near it.
RLP_BYTES_MAX: Final = 2**20

# Leaves of one attestation tree: four million accounts; about 0.6 GB as Python objects.
MERKLE_LEAVES_MAX: Final = 2**22

# The leaf count of a signed root is a uint64, so no balanced tree is deeper.
MERKLE_PROOF_WORDS_MAX: Final = 64
