// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Measures the execution gas of one call: storage and other accounts cold, the target's account warm (as it is for the
/// target of a transaction), calldata and transaction costs not included.
contract GasMeter {
    error CallFailed(bytes reason);

    /// @return used gas of the callee's frame, plus the 100 of the call and a few stack operations
    function measure(address target, bytes calldata data) external returns (uint256 used) {
        bytes memory input = data;
        uint256 codeSize = target.code.length;
        bool succeeded;
        assembly ("memory-safe") {
            let before := gas()
            succeeded := and(call(gas(), target, 0, add(input, 0x20), mload(input), 0, 0), gt(codeSize, 0))
            used := sub(before, gas())
        }
        if (!succeeded) {
            bytes memory reason;
            assembly ("memory-safe") {
                reason := mload(0x40)
                mstore(0x40, add(add(reason, 0x20), and(add(returndatasize(), 31), not(31))))
                mstore(reason, returndatasize())
                returndatacopy(add(reason, 0x20), 0, returndatasize())
            }
            revert CallFailed(reason);
        }
    }
}
