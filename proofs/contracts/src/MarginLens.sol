// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// Packed reads of many holders in one eth_call. Put at an unused address by state override, or deployed.
/// Rules: one bad token spoils its own words only; a failed read is all-ones, never zero; a call gets its stipend or the
/// whole read reverts (GasTooLow), so that scarce gas never looks like a failing token; malformed calldata reverts.
///
/// Calldata, no selector, big-endian integers:
///   uint16 groupCount, then for each group
///   address target ‖ uint8 mode ‖ uint32 gasStipend ‖ uint8 wordCount ‖ uint8 signedMask ‖ uint16 prefixLength
///   ‖ uint8 argLength ‖ uint32 argCount ‖ prefix ‖ args (argCount * argLength, packed)
/// mode 0: native balance of each 20-byte arg; target ignored, no prefix, wordCount 1, signedMask 0.
/// mode 1: staticcall target with prefix ‖ arg left-padded to 32 bytes (argLength 20 or 32), or with the prefix alone
///   (argLength 0, argCount 1); wordCount >= 1 words of the answer are read.
/// Answer: uint64 block.number ‖ uint64 block.timestamp, then 16 bytes for every group, arg, word:
///   unsigned (bit i of signedMask clear, or i > 7): the word if it is <= 2**128 - 2;
///   signed: word + 2**127 if the word lies in [-2**127, 2**127 - 2];
///   else, or if the call failed, or the target has no code, or it answered fewer words: all ones.
contract MarginLens {
    error Malformed();
    error GasTooLow();

    fallback() external {
        assembly {
            function fail(selector) {
                mstore(0, selector)
                revert(28, 4)
            }

            // Field of a group header: `size` bytes at `offset`.
            function field(group, offset, size) -> value {
                value := shr(sub(256, mul(8, size)), calldataload(add(group, offset)))
            }

            // The 16 bytes that stand for one returned word.
            function pack(word, isSigned) -> packed {
                packed := add(word, shl(127, isSigned))
                if gt(packed, 0xfffffffffffffffffffffffffffffffe) { packed := not(0) }
            }

            // Pass 1: every length must add up before anything is called. Also finds the sizes of the two buffers.
            function layout(malformed) -> prefixMax, wordsMax {
                if lt(calldatasize(), 2) { fail(malformed) }
                let at := 2
                for { let left := field(0, 0, 2) } left { left := sub(left, 1) } {
                    if lt(calldatasize(), add(at, 34)) { fail(malformed) }
                    let mode := field(at, 20, 1)
                    let words := field(at, 25, 1)
                    let prefixLength := field(at, 27, 2)
                    let argLength := field(at, 29, 1)
                    let argCount := field(at, 30, 4)
                    let good := 0
                    switch mode
                    case 0 {
                        good := iszero(or(or(xor(argLength, 20), prefixLength), or(xor(words, 1), field(at, 26, 1))))
                    }
                    case 1 {
                        good := or(eq(argLength, 20), eq(argLength, 32))
                        good := or(good, and(iszero(argLength), eq(argCount, 1)))
                        good := and(good, gt(words, 0))
                    }
                    if iszero(good) { fail(malformed) }
                    if gt(prefixLength, prefixMax) { prefixMax := prefixLength }
                    if gt(words, wordsMax) { wordsMax := words }
                    at := add(add(at, 34), add(prefixLength, mul(argLength, argCount)))
                    if lt(calldatasize(), at) { fail(malformed) }
                }
                if xor(at, calldatasize()) { fail(malformed) }
            }

            // Native balances of one group.
            function balances(args, argCount, out) -> end {
                end := out
                for { let last := add(args, mul(20, argCount)) } lt(args, last) { args := add(args, 20) } {
                    mstore(end, shl(128, pack(balance(shr(96, calldataload(args))), 0)))
                    end := add(end, 16)
                }
            }

            // One call; its words go to `out`.
            function read(group, inputSize, buffer, out, gasTooLow) -> end {
                let stipend := field(group, 21, 4)
                let words := field(group, 25, 1)
                let mask := field(group, 26, 1)
                let target := shr(96, calldataload(group))
                // The callee gets at most 63/64 of what is left; the rest is for the call itself and the packing.
                if lt(gas(), add(div(mul(stipend, 64), 63), 20000)) { fail(gasTooLow) }
                let size := mul(words, 32)
                let succeeded := staticcall(stipend, target, 0, inputSize, buffer, size)
                succeeded := and(succeeded, iszero(lt(returndatasize(), size)))
                succeeded := and(succeeded, gt(extcodesize(target), 0))
                end := out
                for { let i := 0 } lt(i, words) { i := add(i, 1) } {
                    let packed := not(0)
                    if succeeded { packed := pack(mload(add(buffer, mul(i, 32))), and(shr(i, mask), 1)) }
                    mstore(end, shl(128, packed))
                    end := add(end, 16)
                }
            }

            // The calls of one group. The input is built at memory 0, the prefix once, the arg for each call.
            function calls(group, buffer, out, gasTooLow) -> end {
                let prefixLength := field(group, 27, 2)
                let argLength := field(group, 29, 1)
                let argCount := field(group, 30, 4)
                let args := add(add(group, 34), prefixLength)
                let inputSize := prefixLength
                if argLength { inputSize := add(prefixLength, 32) }
                calldatacopy(0, add(group, 34), prefixLength)
                end := out
                for { let i := 0 } lt(i, argCount) { i := add(i, 1) } {
                    if argLength { mstore(prefixLength, shr(sub(256, mul(8, argLength)), calldataload(args))) }
                    end := read(group, inputSize, buffer, end, gasTooLow)
                    args := add(args, argLength)
                }
            }

            let malformed := 0x07b6ad3f
            let gasTooLow := 0x858c8974
            let prefixMax, wordsMax := layout(malformed)
            let buffer := add(prefixMax, 32)
            let start := add(buffer, mul(wordsMax, 32))
            mstore(start, or(shl(192, number()), shr(64, shl(192, timestamp()))))
            let out := add(start, 16)
            let group := 2
            for { let left := field(0, 0, 2) } left { left := sub(left, 1) } {
                switch field(group, 20, 1)
                case 0 { out := balances(add(group, 34), field(group, 30, 4), out) }
                default { out := calls(group, buffer, out, gasTooLow) }
                let body := add(field(group, 27, 2), mul(field(group, 29, 1), field(group, 30, 4)))
                group := add(add(group, 34), body)
            }
            return(start, sub(out, start))
        }
    }
}
