// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

// Toys that keep a balance in every way that a layout knows. Minting is free, nothing is transferable.

/// A proxy after EIP-1967: one slot names the code; anybody may upgrade it.
contract UpgradeableProxy {
    bytes32 internal constant IMPLEMENTATION = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    constructor(address implementation) {
        upgradeTo(implementation);
    }

    function upgradeTo(address implementation) public {
        assembly {
            sstore(IMPLEMENTATION, implementation)
        }
    }

    fallback() external {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), sload(IMPLEMENTATION), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(ok) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}

/// Balances at slot 1.
contract FirstVersion {
    uint256 public totalSupply;
    mapping(address holder => uint256) internal _balances;

    function mint(address holder, uint256 amount) external {
        totalSupply += amount;
        _balances[holder] += amount;
    }

    function balanceOf(address holder) external view returns (uint256) {
        return _balances[holder];
    }
}

/// The same token after a careless upgrade: a variable in front has moved the balances to slot 2.
contract ShiftedVersion {
    uint256 public totalSupply;
    uint256 public paused;
    mapping(address holder => uint256) internal _balances;

    function mint(address holder, uint256 amount) external {
        totalSupply += amount;
        _balances[holder] += amount;
    }

    function balanceOf(address holder) external view returns (uint256) {
        return _balances[holder];
    }
}

/// Balance and a freeze mark in one word, mapping at slot 9; as stablecoins of the second generation keep it.
contract PackedToken {
    uint256 internal constant MARK = 1 << 255;

    uint256[9] internal _before;
    mapping(address holder => uint256) internal _words;

    function mint(address holder, uint256 amount) external {
        _words[holder] += amount;
    }

    function setFrozen(address holder, bool frozen) external {
        _words[holder] = frozen ? _words[holder] | MARK : _words[holder] & ~MARK;
    }

    function balanceOf(address holder) external view returns (uint256) {
        return _words[holder] & ~MARK;
    }

    function isBlacklisted(address holder) external view returns (bool) {
        return _words[holder] & MARK != 0;
    }
}

/// Balances in Vyper's order of keys, HashMap at slot 3.
contract ReversedToken {
    function _slot(address holder) internal pure returns (bytes32) {
        return keccak256(abi.encode(uint256(3), holder));
    }

    function mint(address holder, uint256 amount) external {
        bytes32 slot = _slot(holder);
        assembly {
            sstore(slot, add(sload(slot), amount))
        }
    }

    function balanceOf(address holder) external view returns (uint256 amount) {
        bytes32 slot = _slot(holder);
        assembly {
            amount := sload(slot)
        }
    }
}

/// Balances as the first field of OpenZeppelin's namespace.
contract NamespacedToken {
    bytes32 internal constant BASE = 0x52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00;

    function _balances() internal pure returns (mapping(address holder => uint256) storage balances) {
        assembly {
            balances.slot := BASE
        }
    }

    function mint(address holder, uint256 amount) external {
        _balances()[holder] += amount;
    }

    function balanceOf(address holder) external view returns (uint256) {
        return _balances()[holder];
    }
}

/// Balances as shares of assets: shares at slot 0, all shares at slot 1, assets at slot 2.
contract ShareToken {
    mapping(address holder => uint256) internal _shares;
    uint256 internal _allShares;
    uint256 internal _assets;

    function mint(address holder, uint256 shares) external {
        _shares[holder] += shares;
        _allShares += shares;
        _assets += shares;
    }

    function earn(uint256 assets) external {
        _assets += assets;
    }

    function balanceOf(address holder) external view returns (uint256) {
        return _allShares == 0 ? 0 : _shares[holder] * _assets / _allShares;
    }
}

/// A lending pool's reserves: mapping at slot 52, indices and rates in RAY.
contract ScaledPool {
    uint256 internal constant RAY = 1e27;
    uint256 internal constant YEAR = 365 days;

    struct Reserve {
        uint256 configuration;
        uint128 liquidityIndex;
        uint128 liquidityRate;
        uint128 borrowIndex;
        uint128 borrowRate;
        uint128 deficit;
        uint40 updatedAt;
        uint16 id;
    }

    uint256[52] internal _before;
    mapping(address asset => Reserve) internal _reserves;

    function setReserve(address asset, uint128 index, uint128 rate, uint128 borrowIndex, uint128 borrowRate) external {
        _reserves[asset] =
            Reserve(7, index, rate, borrowIndex, borrowRate, 99, uint40(block.timestamp), type(uint16).max);
    }

    function income(address asset) external view returns (uint256) {
        Reserve storage reserve = _reserves[asset];
        uint256 elapsed = block.timestamp - reserve.updatedAt;
        if (elapsed == 0) return reserve.liquidityIndex;
        return _rayMul(RAY + reserve.liquidityRate * elapsed / YEAR, reserve.liquidityIndex);
    }

    function debt(address asset) external view returns (uint256) {
        Reserve storage reserve = _reserves[asset];
        uint256 elapsed = block.timestamp - reserve.updatedAt;
        if (elapsed == 0) return reserve.borrowIndex;
        uint256 interest = reserve.borrowRate * elapsed / YEAR;
        uint256 grown = RAY + interest + _rayMul(interest, interest / 2 + _rayMul(interest, interest / 6));
        return _rayMul(grown, reserve.borrowIndex);
    }

    function _rayMul(uint256 left, uint256 right) internal pure returns (uint256) {
        return (left * right + RAY / 2) / RAY;
    }
}

/// A balance that grows with the pool's index: 120 bits of the user's word, mapping at slot 52.
abstract contract ScaledToken {
    uint256 internal constant RAY = 1e27;

    struct User {
        uint120 scaled;
        uint8 mode;
        uint128 data;
    }

    ScaledPool public immutable POOL;
    address public immutable UNDERLYING_ASSET_ADDRESS;
    uint256[52] internal _before;
    mapping(address holder => User) internal _users;

    constructor(ScaledPool pool, address asset) {
        POOL = pool;
        UNDERLYING_ASSET_ADDRESS = asset;
    }

    function mint(address holder, uint120 scaled) external {
        _users[holder] = User(_users[holder].scaled + scaled, 3, type(uint128).max);
    }
}

contract ScaledSupplyToken is ScaledToken {
    constructor(ScaledPool pool, address asset) ScaledToken(pool, asset) {}

    function balanceOf(address holder) external view returns (uint256) {
        return _users[holder].scaled * POOL.income(UNDERLYING_ASSET_ADDRESS) / RAY;
    }
}

contract ScaledDebtToken is ScaledToken {
    constructor(ScaledPool pool, address asset) ScaledToken(pool, asset) {}

    function balanceOf(address holder) external view returns (uint256) {
        return (_users[holder].scaled * POOL.debt(UNDERLYING_ASSET_ADDRESS) + RAY - 1) / RAY;
    }
}

/// A token whose balance is a plain word, and beside it a decoy word of the same value for the holder.
contract DecoyToken {
    mapping(address holder => uint256) internal _votes;
    mapping(address holder => uint256) internal _balances;

    function mint(address holder, uint256 amount) external {
        _votes[holder] += amount;
        _balances[holder] += amount;
    }

    function balanceOf(address holder) external view returns (uint256 amount) {
        amount = _balances[holder];
        if (amount > 0 && _votes[holder] == 0) amount = 0;
    }
}
