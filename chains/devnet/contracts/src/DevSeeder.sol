// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LockBox} from "margin/LockBox.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// Locks and gifts for many accounts in one transaction. It locks what it was given before, or its caller's coins.
contract DevSeeder {
    struct Amount {
        bytes32 accountId;
        uint256 amount;
    }

    error GiftFailed(address to);

    /// Lock for each account; asset zero is the native coin.
    function lockMany(LockBox box, address asset, bytes32 venueId, Amount[] calldata amounts) external payable {
        if (asset != address(0)) IERC20(asset).approve(address(box), type(uint256).max);
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint256 amount = amounts[i].amount;
            box.lock{value: asset == address(0) ? amount : 0}(asset, amount, venueId, amounts[i].accountId);
        }
    }

    /// Send native coins to each account's home address.
    function giveMany(Amount[] calldata amounts) external payable {
        for (uint256 i = 0; i < amounts.length; ++i) {
            address to = address(uint160(uint256(amounts[i].accountId)));
            (bool sent,) = to.call{value: amounts[i].amount}("");
            if (!sent) revert GiftFailed(to);
        }
    }
}
