// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Evidence, MarginGuard} from "margin/MarginGuard.sol";
import {MarginVerifier} from "margin/MarginVerifier.sol";

/// The smallest venue: it counts what was opened and withdrawn and has switches for what a venue decides.
contract GuardedVenue is MarginGuard {
    mapping(bytes32 accountId => uint256) public openedUsd;
    mapping(bytes32 accountId => uint256) public withdrawnUsd;
    mapping(bytes32 accountId => uint256) public liquidations;
    mapping(bytes32 accountId => bool) public isFlat;
    bool public isPaused;

    constructor(
        MarginVerifier verifier_,
        address policyAdmin_,
        bytes32 policyId,
        uint64 policyDelay_,
        ActRule[] memory rules
    ) MarginGuard(verifier_, policyAdmin_, policyId, policyDelay_) {
        for (uint256 i = 0; i < rules.length; ++i) {
            _setActRule(Act(i), rules[i]);
        }
    }

    function open(bytes32 accountId, uint256 addedInitialUsd, Evidence calldata e) external {
        _requireInitial(accountId, Act.Open, addedInitialUsd, e);
        openedUsd[accountId] += addedInitialUsd;
    }

    function withdraw(bytes32 accountId, uint256 amountUsd, Evidence calldata e) external {
        _requireInitial(accountId, Act.Withdraw, amountUsd, e);
        withdrawnUsd[accountId] += amountUsd;
    }

    function liquidate(bytes32 accountId, Evidence calldata e) external {
        _requireLiquidatable(accountId, e);
        liquidations[accountId] += 1;
    }

    function liquidateUnknown(bytes32 accountId, uint256 grace, Evidence calldata e) external {
        _requireUnknownFor(accountId, grace, e);
        liquidations[accountId] += 1;
    }

    function requireInitialFor(bytes32 accountId, Act act, Evidence calldata e) external {
        _requireInitial(accountId, act, 0, e);
    }

    function setFlat(bytes32 accountId, bool flat) external {
        isFlat[accountId] = flat;
    }

    function setPaused(bool paused) external {
        isPaused = paused;
    }

    function _isFlat(bytes32 accountId) internal view override returns (bool) {
        return isFlat[accountId];
    }

    function _growthPaused() internal view override returns (bool) {
        return isPaused;
    }
}
