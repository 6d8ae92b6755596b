// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// A signer set (n, k, f, addresses) kept as contract code, and the recovery of a signature blob against it.
/// Code layout: 0x00 ‖ n ‖ k ‖ f ‖ n 20-byte addresses. One cold code read costs less than two cold storage slots.
/// Loaded form: `bytes` n ‖ k ‖ f ‖ addresses, zero-padded to 32 members.
library SignerSet {
    uint256 internal constant SIGNERS_MAX = 32;
    /// Half the order of secp256k1, rounded down: the largest low s.
    uint256 internal constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant HEADER_BYTES = 3;
    uint256 private constant FAULT_HIGH_S = 1;
    uint256 private constant FAULT_INVALID = 2;

    error BadSignerCount(uint256 n);
    error ZeroSigner(uint256 index);
    error DuplicateSigner(address signer);
    error ZeroThreshold();
    /// k > n - f: with f members silent, k cannot be reached.
    error ThresholdUnreachable(uint256 n, uint256 k, uint256 f);
    /// 2k - n <= f: two quorums may share faulty members only.
    error QuorumsMayDiverge(uint256 n, uint256 k, uint256 f);
    error SetNotStored();
    error SignatureLength(uint256 have, uint256 need);
    error BitmapBeyondSet(uint256 bitmap, uint256 n);
    error HighS(uint256 signer);
    error SignatureInvalid(uint256 signer);

    /// Check the rules of a set and store it as code.
    function store(address[] memory signers, uint8 k, uint8 f) internal returns (address set) {
        uint256 n = signers.length;
        if (n == 0 || n > SIGNERS_MAX) revert BadSignerCount(n);
        if (k == 0) revert ZeroThreshold();
        if (uint256(k) + f > n) revert ThresholdUnreachable(n, k, f);
        if (2 * uint256(k) <= n + f) revert QuorumsMayDiverge(n, k, f);
        bytes memory code = bytes.concat(bytes1(0), bytes1(uint8(n)), bytes1(k), bytes1(f));
        for (uint256 i = 0; i < n; ++i) {
            if (signers[i] == address(0)) revert ZeroSigner(i);
            for (uint256 j = 0; j < i; ++j) {
                if (signers[j] == signers[i]) revert DuplicateSigner(signers[i]);
            }
            code = bytes.concat(code, bytes20(signers[i]));
        }
        // PUSH2 size, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN: return what follows as code.
        bytes memory creation = bytes.concat(hex"61", bytes2(uint16(code.length)), hex"80600a3d393df3", code);
        assembly ("memory-safe") {
            set := create(0, add(creation, 0x20), mload(creation))
        }
        if (set == address(0)) revert SetNotStored();
    }

    function load(address set) internal view returns (bytes memory data) {
        uint256 size = HEADER_BYTES + 20 * SIGNERS_MAX;
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(0x40, add(data, and(add(size, 0x3f), not(0x1f))))
            mstore(data, size)
            extcodecopy(set, add(data, 0x20), 1, size)
        }
    }

    function sizes(bytes memory data) internal pure returns (uint256 n, uint256 k, uint256 f) {
        return (uint8(data[0]), uint8(data[1]), uint8(data[2]));
    }

    /// @dev `index` < 32; beyond n it is the zero address.
    function member(bytes memory data, uint256 index) internal pure returns (address signer) {
        assembly ("memory-safe") {
            signer := shr(96, mload(add(add(data, 0x23), mul(index, 20))))
        }
    }

    function find(bytes memory data, address signer) internal pure returns (bool found, uint256 index) {
        (uint256 n,,) = sizes(data);
        for (index = 0; index < n; ++index) {
            if (member(data, index) == signer) return (true, index);
        }
    }

    /// The bitmap of a blob in which every named member's signature over `digest` is valid; anything else reverts.
    /// @param blob uint32 bitmap ‖ one EIP-2098 signature (r ‖ yParityAndS) for each set bit, ascending, exact length
    function recover(bytes memory data, bytes32 digest, bytes calldata blob) internal view returns (uint32 bitmap) {
        if (blob.length < 4) revert SignatureLength(blob.length, 4);
        bitmap = uint32(bytes4(blob[:4]));
        uint256 n = uint8(data[0]);
        if (uint256(bitmap) >> n != 0) revert BitmapBeyondSet(bitmap, n);
        uint256 need = 4 + 64 * popcount(bitmap);
        if (blob.length != need) revert SignatureLength(blob.length, need);
        (uint256 fault, uint256 index) = _check(data, digest, blob, bitmap);
        if (fault == FAULT_HIGH_S) revert HighS(index);
        if (fault != 0) revert SignatureInvalid(index);
    }

    /// Number of set bits of a 32-bit value, by adding neighbours in parallel.
    function popcount(uint256 bits) internal pure returns (uint256 count) {
        assembly ("memory-safe") {
            count := sub(bits, and(shr(1, bits), 0x55555555))
            count := add(and(count, 0x33333333), and(shr(2, count), 0x33333333))
            count := and(add(count, shr(4, count)), 0x0f0f0f0f)
            count := and(shr(24, mul(count, 0x01010101)), 0xff)
        }
    }

    /// Check one signature for each bit; stop at the first that fails. The blob's length is right already.
    function _check(bytes memory data, bytes32 digest, bytes calldata blob, uint256 rest)
        private
        view
        returns (uint256 fault, uint256 index)
    {
        assembly ("memory-safe") {
            let input := mload(0x40) // of ecrecover: digest, v, r, s
            mstore(input, digest)
            let entry := add(data, 0x23)
            let signature := add(blob.offset, 4)
            for {} rest { rest := shr(1, rest) } {
                if and(rest, 1) {
                    let vs := calldataload(add(signature, 0x20))
                    let s := and(vs, shr(1, not(0)))
                    if gt(s, HALF_ORDER) {
                        fault := FAULT_HIGH_S
                        break
                    }
                    mstore(add(input, 0x20), add(27, shr(255, vs)))
                    mstore(add(input, 0x40), calldataload(signature))
                    mstore(add(input, 0x60), s)
                    mstore(0, 0) // stays zero if recovery fails: ecrecover then returns nothing
                    pop(staticcall(gas(), 1, input, 0x80, 0, 0x20))
                    let signer := mload(0)
                    if or(iszero(signer), xor(signer, shr(96, mload(entry)))) {
                        fault := FAULT_INVALID
                        break
                    }
                    signature := add(signature, 64)
                }
                index := add(index, 1)
                entry := add(entry, 20)
            }
        }
    }
}
