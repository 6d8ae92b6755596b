// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// The wire types of an attestation and their EIP-712 struct hashes.
// Units: USD is scaled 1e18, ratios do not exist, times are unix seconds. The numbers below are those of wire.json.

/// One signed object per (policy, frame); every account is a leaf under `accountsRoot`.
struct MarginRoot {
    bytes32 policyId;
    uint64 frame;
    uint64 asOf;
    uint64 validUntil;
    uint32 skew;
    uint32 signerEpoch;
    uint64 leafCount;
    bytes32 snapshotRoot;
    bytes32 accountsRoot;
}

/// What one account holds and owes towards one venue. Collateral is rounded down, everything else up.
struct MarginLeaf {
    bytes32 accountId;
    bytes32 venueId;
    uint8 status;
    uint8 assurance;
    uint16 quality;
    uint128 collateralUsd;
    uint128 liabilityUsd;
    uint128 initialMarginUsd;
    uint128 maintenanceMarginUsd;
    bytes32 legsRoot;
}

/// The block of one chain that a frame was read at.
struct ChainAnchor {
    bytes32 chainKey;
    uint64 blockNumber;
    bytes32 blockHash;
    bytes32 stateRoot;
    uint64 timestamp;
    uint8 finality;
    bytes32 readingsRoot;
}

/// One holding, debt, position or requirement; the legs of a leaf add up to its four figures.
struct MarginLeg {
    bytes32 holderKey;
    bytes32 chainKey;
    bytes32 assetKey;
    uint8 kind;
    uint8 encumbrance;
    uint8 assurance;
    int256 amountRaw;
    uint256 priceE18;
    uint32 haircutPpm;
    int256 entryValueUsd;
    int256 valueUsd;
    uint128 initialUsd;
    uint128 maintenanceUsd;
}

uint8 constant STATUS_UNKNOWN = 0;
uint8 constant STATUS_HEALTHY = 1;
uint8 constant STATUS_WARNING = 2;
uint8 constant STATUS_MARGIN_CALL = 3;
uint8 constant STATUS_LIQUIDATABLE = 4;
uint8 constant STATUS_BAD_DEBT = 5;

uint8 constant ASSURANCE_SINGLE_RPC = 0;
uint8 constant ASSURANCE_RPC_QUORUM = 1;
uint8 constant ASSURANCE_STATE_PROOF = 2;
uint8 constant ASSURANCE_AUTHENTICATED_HEADER = 3;

uint8 constant KIND_BALANCE = 1;
uint8 constant KIND_LOCK = 2;
uint8 constant KIND_DEBT = 3;
uint8 constant KIND_POSITION = 4;
uint8 constant KIND_REQUIREMENT = 5;

uint8 constant ENCUMBRANCE_NOT_APPLICABLE = 0;
uint8 constant ENCUMBRANCE_FREE = 1;
uint8 constant ENCUMBRANCE_APPROVED = 2;
uint8 constant ENCUMBRANCE_PROTOCOL_LOCKED = 3;
uint8 constant ENCUMBRANCE_ESCROWED = 4;

uint8 constant FINALITY_MISSING = 0;
uint8 constant FINALITY_LATEST = 1;
uint8 constant FINALITY_CONFIRMATIONS = 2;
uint8 constant FINALITY_SAFE = 3;
uint8 constant FINALITY_FINALIZED = 4;

// Quality is a mask: these are the masks of the bits 0 to 9.
uint16 constant QUALITY_DEGRADED_LEG = 1 << 0;
uint16 constant QUALITY_STALE_PRICE = 1 << 1;
uint16 constant QUALITY_WIDE_PRICE = 1 << 2;
uint16 constant QUALITY_SEQUENCER_GRACE = 1 << 3;
uint16 constant QUALITY_DEPEG = 1 << 4;
uint16 constant QUALITY_FROZEN_HOLDER = 1 << 5;
uint16 constant QUALITY_CODE_CHANGED = 1 << 6;
uint16 constant QUALITY_CONCENTRATION_CAP = 1 << 7;
uint16 constant QUALITY_CHAIN_MISSING = 1 << 8;
uint16 constant QUALITY_DEVNET = 1 << 9;

bytes32 constant DOMAIN_TYPEHASH =
    keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
bytes32 constant ROOT_TYPEHASH = keccak256(
    "MarginRoot(bytes32 policyId,uint64 frame,uint64 asOf,uint64 validUntil,uint32 skew,uint32 signerEpoch,uint64 leafCount,bytes32 snapshotRoot,bytes32 accountsRoot)"
);
bytes32 constant LEAF_TYPEHASH = keccak256(
    "MarginLeaf(bytes32 accountId,bytes32 venueId,uint8 status,uint8 assurance,uint16 quality,uint128 collateralUsd,uint128 liabilityUsd,uint128 initialMarginUsd,uint128 maintenanceMarginUsd,bytes32 legsRoot)"
);
bytes32 constant ANCHOR_TYPEHASH = keccak256(
    "ChainAnchor(bytes32 chainKey,uint64 blockNumber,bytes32 blockHash,bytes32 stateRoot,uint64 timestamp,uint8 finality,bytes32 readingsRoot)"
);
bytes32 constant LEG_TYPEHASH = keccak256(
    "MarginLeg(bytes32 holderKey,bytes32 chainKey,bytes32 assetKey,uint8 kind,uint8 encumbrance,uint8 assurance,int256 amountRaw,uint256 priceE18,uint32 haircutPpm,int256 entryValueUsd,int256 valueUsd,uint128 initialUsd,uint128 maintenanceUsd)"
);

/// EIP-712 hashStruct of the four wire types, and the digest that margin keys sign.
/// @dev All four are static, so calldata holds exactly the encoding: one copy, one hash. Upper bits that do not belong
/// to a narrow field are hashed as they came; such a struct has another hash than any that was ever signed.
library MarginHash {
    function hash(MarginRoot calldata root) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := root
        }
        return _hashWords(ROOT_TYPEHASH, start, 0x120);
    }

    function hash(MarginLeaf calldata leaf) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := leaf
        }
        return _hashWords(LEAF_TYPEHASH, start, 0x140);
    }

    function hash(ChainAnchor calldata anchor) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := anchor
        }
        return _hashWords(ANCHOR_TYPEHASH, start, 0xe0);
    }

    function hash(MarginLeg calldata leg) internal pure returns (bytes32) {
        uint256 start;
        assembly ("memory-safe") {
            start := leg
        }
        return _hashWords(LEG_TYPEHASH, start, 0x1a0);
    }

    /// keccak256(0x1901 ‖ separator ‖ structHash)
    function digest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, shl(240, 0x1901))
            mstore(add(free, 2), separator)
            mstore(add(free, 34), structHash)
            result := keccak256(free, 66)
        }
    }

    /// Top of a sorted-pair keccak tree, from a leaf and its siblings upwards.
    function climb(bytes32[] calldata proof, bytes32 leafHash) internal pure returns (bytes32 top) {
        assembly ("memory-safe") {
            top := leafHash
            let end := add(proof.offset, shl(5, proof.length))
            for { let sibling := proof.offset } lt(sibling, end) { sibling := add(sibling, 0x20) } {
                let word := calldataload(sibling)
                let place := shl(5, gt(top, word)) // the smaller of the two stands first
                mstore(place, top)
                mstore(xor(place, 0x20), word)
                top := keccak256(0, 0x40)
            }
        }
    }

    function domainSeparator(uint256 chainId, address verifyingContract) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("MarginVerifier"), keccak256("1"), chainId, verifyingContract)
        );
    }

    function _hashWords(bytes32 typeHash, uint256 start, uint256 size) private pure returns (bytes32 structHash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), start, size)
            structHash := keccak256(free, add(size, 0x20))
        }
    }
}
