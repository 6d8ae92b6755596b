// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Evidence, MarginGuard} from "margin/MarginGuard.sol";
import {LockBox} from "margin/LockBox.sol";
import {STATUS_LIQUIDATABLE} from "margin/MarginTypes.sol";

/// A seizer that acts on evidence alone: anybody may seize the lock of an account whose leaf says liquidatable or worse.
contract LeafSeizer {
    MarginGuard public immutable venue;
    LockBox public immutable box;

    error NotLiquidatable(uint8 status);
    error WrongVenue(bytes32 expected, bytes32 have);

    constructor(MarginGuard venue_, LockBox box_) {
        venue = venue_;
        box = box_;
    }

    function seize(uint256 lockId, uint256 amount, Evidence calldata e) external {
        LockBox.Lock memory lock = box.lockOf(lockId);
        if (lock.venueId != venue.venueId()) revert WrongVenue(venue.venueId(), lock.venueId);
        venue.readEvidence(lock.accountId, uint64(block.timestamp - 60), e);
        if (e.leaf.status < STATUS_LIQUIDATABLE) revert NotLiquidatable(e.leaf.status);
        box.seize(lockId, amount);
    }
}
