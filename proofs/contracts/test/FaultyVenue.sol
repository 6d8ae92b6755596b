// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Evidence, MarginGuard} from "margin/MarginGuard.sol";
import {MarginVerifier} from "margin/MarginVerifier.sol";

/// A venue whose author erred in three ways: the conformance kit must name `open`, `withdraw` and `liquidate`.
contract FaultyVenue is MarginGuard {
    mapping(bytes32 accountId => uint256) public openedUsd;

    constructor(MarginVerifier verifier_, address policyAdmin_, bytes32 policyId, uint64 delay, ActRule[] memory rules)
        MarginGuard(verifier_, policyAdmin_, policyId, delay)
    {
        for (uint256 i = 0; i < rules.length; ++i) {
            _setActRule(Act(i), rules[i]);
        }
    }

    /// Takes evidence and never looks at it.
    function open(bytes32 accountId, uint256 addedInitialUsd, Evidence calldata e) external {
        e;
        openedUsd[accountId] += addedInitialUsd;
    }

    /// Checks whichever account the evidence is about.
    function withdraw(bytes32 accountId, uint256 amountUsd, Evidence calldata e) external {
        _requireInitial(e.leaf.accountId, Act.Withdraw, amountUsd, e);
        openedUsd[accountId] -= 0;
    }

    /// Takes the figures as they come, without a quorum.
    function liquidate(bytes32 accountId, Evidence calldata e) external {
        if (e.leaf.accountId != accountId || e.leaf.status < 4) revert StatusRefused(e.leaf.status);
        openedUsd[accountId] = 0;
    }
}
