// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LockBox} from "margin/LockBox.sol";

/// A well-behaved token, and what the hostile ones start from. Minting is free.
contract PlainToken {
    mapping(address holder => uint256) internal _balances;
    mapping(address holder => mapping(address spender => uint256)) public allowance;

    error BalanceTooLow();

    function mint(address holder, uint256 amount) external {
        _balances[holder] += amount;
    }

    function balanceOf(address holder) external view virtual returns (uint256) {
        return _balances[holder];
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external virtual returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external virtual returns (bool) {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) internal virtual {
        if (_balances[from] < amount) revert BalanceTooLow();
        _balances[from] -= amount;
        _balances[to] += amount;
    }
}

/// One percent of every transfer is lost.
contract FeeToken is PlainToken {
    function _move(address from, address to, uint256 amount) internal override {
        super._move(from, to, amount);
        _balances[to] -= amount / 100;
    }
}

/// Says `false` instead of reverting.
contract FalseToken is PlainToken {
    function transferFrom(address, address, uint256) external pure override returns (bool) {
        return false;
    }
}

/// Answers every call with an expanding of memory, a loop, a revert, too little, or another number for every caller.
contract HostileToken {
    enum Manner {
        Revert,
        BurnGas,
        Megabyte,
        MegabyteRevert,
        Short,
        Empty,
        Invalid,
        CallerDependent
    }

    Manner public immutable manner;

    constructor(Manner manner_) {
        manner = manner_;
    }

    fallback() external {
        Manner chosen = manner;
        if (chosen == Manner.Revert) revert("never");
        if (chosen == Manner.BurnGas) {
            for (uint256 i = 0; true; ++i) {}
        }
        if (chosen == Manner.CallerDependent) {
            assembly ("memory-safe") {
                mstore(0, caller())
                return(0, 32)
            }
        }
        uint256 size = chosen == Manner.Short ? 31 : chosen == Manner.Empty ? 0 : 1 << 20;
        assembly {
            switch chosen
            case 3 { revert(0, size) }
            case 6 { invalid() }
            default { return(0, size) }
        }
    }
}

/// Answers with words given at deployment: for edges of numbers.
contract WordsToken {
    bytes private _answer;

    constructor(bytes memory answer) {
        _answer = answer;
    }

    fallback() external {
        bytes memory answer = _answer;
        assembly ("memory-safe") {
            return(add(answer, 0x20), mload(answer))
        }
    }
}

/// Answers with the bytes of its own calldata: shows what a reader sends.
contract EchoToken {
    fallback() external {
        assembly {
            calldatacopy(0, 0, calldatasize())
            return(0, calldatasize())
        }
    }
}

/// Calls back into the lock box in the middle of a transfer.
contract ReentrantToken is PlainToken {
    LockBox public immutable box;
    bytes public attack;
    bool public isBlocked;

    constructor(LockBox box_) {
        box = box_;
    }

    function arm(bytes calldata attack_) external {
        attack = attack_;
    }

    function _move(address from, address to, uint256 amount) internal override {
        super._move(from, to, amount);
        if (attack.length == 0) return;
        (bool succeeded,) = address(box).call(attack);
        isBlocked = !succeeded;
    }
}

/// A depositor of native coins that re-enters when paid, or refuses the pay.
contract ReentrantDepositor {
    LockBox public immutable box;
    bool public refuses;
    bytes public attack;
    bool public isBlocked;

    error PayRefused();

    constructor(LockBox box_) {
        box = box_;
    }

    function set(bool refuses_, bytes calldata attack_) external {
        refuses = refuses_;
        attack = attack_;
    }

    function lock(bytes32 venueId, bytes32 accountId) external payable returns (uint256) {
        return box.lock{value: msg.value}(address(0), msg.value, venueId, accountId);
    }

    function requestRelease(uint256 lockId) external {
        box.requestRelease(lockId);
    }

    receive() external payable {
        if (refuses) revert PayRefused();
        if (attack.length == 0) return;
        (bool succeeded,) = address(box).call(attack);
        isBlocked = !succeeded;
    }
}
