// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import "margin/MarginTypes.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// Shows the compiled wire: hashes of many structs in one call, the Merkle check, the numbers.
contract WireHarness {
    using MarginHash for MarginRoot;
    using MarginHash for MarginLeaf;
    using MarginHash for ChainAnchor;
    using MarginHash for MarginLeg;

    address public immutable verifyingContract;

    /// @param verifyingContract_ the contract that `digests` are for
    constructor(address verifyingContract_) {
        verifyingContract = verifyingContract_;
    }

    function hashRoots(MarginRoot[] calldata roots) external pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](roots.length);
        for (uint256 i = 0; i < roots.length; ++i) {
            hashes[i] = roots[i].hash();
        }
    }

    function hashLeaves(MarginLeaf[] calldata leaves) external pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            hashes[i] = leaves[i].hash();
        }
    }

    function hashAnchors(ChainAnchor[] calldata anchors) external pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](anchors.length);
        for (uint256 i = 0; i < anchors.length; ++i) {
            hashes[i] = anchors[i].hash();
        }
    }

    function hashLegs(MarginLeg[] calldata legs) external pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](legs.length);
        for (uint256 i = 0; i < legs.length; ++i) {
            hashes[i] = legs[i].hash();
        }
    }

    function domainSeparator() public view returns (bytes32) {
        return MarginHash.domainSeparator(block.chainid, verifyingContract);
    }

    function digests(MarginRoot[] calldata roots) external view returns (bytes32[] memory result) {
        bytes32 separator = domainSeparator();
        result = new bytes32[](roots.length);
        for (uint256 i = 0; i < roots.length; ++i) {
            result[i] = MarginHash.digest(separator, roots[i].hash());
        }
    }

    function merkleVerify(bytes32[] calldata proof, bytes32 root, bytes32 leaf) external pure returns (bool) {
        return MerkleProof.verifyCalldata(proof, root, leaf);
    }

    /// Type hashes: domain, root, leaf, anchor, leg.
    function typeHashes() external pure returns (bytes32[5] memory) {
        return [DOMAIN_TYPEHASH, ROOT_TYPEHASH, LEAF_TYPEHASH, ANCHOR_TYPEHASH, LEG_TYPEHASH];
    }

    /// In the order of wire.json.
    function statuses() external pure returns (uint8[6] memory) {
        return [
            STATUS_UNKNOWN,
            STATUS_HEALTHY,
            STATUS_WARNING,
            STATUS_MARGIN_CALL,
            STATUS_LIQUIDATABLE,
            STATUS_BAD_DEBT
        ];
    }

    function assurances() external pure returns (uint8[4] memory) {
        return [ASSURANCE_SINGLE_RPC, ASSURANCE_RPC_QUORUM, ASSURANCE_STATE_PROOF, ASSURANCE_AUTHENTICATED_HEADER];
    }

    function kinds() external pure returns (uint8[5] memory) {
        return [KIND_BALANCE, KIND_LOCK, KIND_DEBT, KIND_POSITION, KIND_REQUIREMENT];
    }

    function encumbrances() external pure returns (uint8[5] memory) {
        return [
            ENCUMBRANCE_NOT_APPLICABLE,
            ENCUMBRANCE_FREE,
            ENCUMBRANCE_APPROVED,
            ENCUMBRANCE_PROTOCOL_LOCKED,
            ENCUMBRANCE_ESCROWED
        ];
    }

    function finalities() external pure returns (uint8[5] memory) {
        return [FINALITY_MISSING, FINALITY_LATEST, FINALITY_CONFIRMATIONS, FINALITY_SAFE, FINALITY_FINALIZED];
    }

    /// Masks, not bit numbers.
    function qualities() external pure returns (uint16[10] memory) {
        return [
            QUALITY_DEGRADED_LEG,
            QUALITY_STALE_PRICE,
            QUALITY_WIDE_PRICE,
            QUALITY_SEQUENCER_GRACE,
            QUALITY_DEPEG,
            QUALITY_FROZEN_HOLDER,
            QUALITY_CODE_CHANGED,
            QUALITY_CONCENTRATION_CAP,
            QUALITY_CHAIN_MISSING,
            QUALITY_DEVNET
        ];
    }
}
