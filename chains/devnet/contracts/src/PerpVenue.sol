// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Evidence, MarginGuard} from "margin/MarginGuard.sol";
import {MarginVerifier} from "margin/MarginVerifier.sol";
import {DevFeed} from "./DevFeed.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// A small perpetuals venue: opening and withdrawing need evidence, closing never does.
/// An account is its owner's address, left-padded. What positions made or lost stays with them as `realised` and is
/// paid out in the settlement token. Nobody takes the other side: this is a toy, only its bookkeeping is real.
/// Units: sizes, prices, values and funding scaled 1e18. Rounding goes against the account, except where `positionOf`
/// states its rule.
/// @dev Storage from slot 6 (the guard holds 0 to 5): 6 accounts, 7 isListed, 8 markets, 9 market data, 10 positions.
contract PerpVenue is MarginGuard {
    using SafeCast for int256;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /// Two slots: the feed with its numbers, then the funding index.
    struct Market {
        address feed;
        uint8 feedDecimals;
        uint32 initialMarginPpm;
        int128 fundingIndexE18; // sum of funding paid by one unit held long
    }

    /// Two slots, each with its first field low.
    struct Position {
        int128 sizeE18; // long > 0
        uint128 entryPriceE18;
        int128 entryFundingIndexE18; // index up to which funding is in `realisedE18`
        int128 realisedE18; // USD; stays when the position is closed
    }

    /// What a market is created with.
    struct MarketSeed {
        bytes32 marketId;
        address feed;
        uint32 initialMarginPpm;
    }

    /// A position written as if it had been traded; for test worlds.
    struct PositionSeed {
        bytes32 accountId;
        bytes32 marketId;
        Position position;
    }

    int256 private constant ONE = 1e18;
    uint256 private constant PPM = 1e6;
    uint256 private constant MARKETS_MAX = 16;

    bytes32[] private _accounts;
    mapping(bytes32 accountId => bool) public isListed;
    bytes32[] private _markets;
    mapping(bytes32 marketId => Market) private _marketOf;
    mapping(bytes32 accountId => mapping(bytes32 marketId => Position)) private _positionOf;

    address public immutable owner;
    IERC20 public immutable settlement;
    /// 10 ** (18 - decimals of the settlement token)
    uint256 private immutable _settlementUnit;

    event PositionChanged(bytes32 indexed accountId, bytes32 indexed marketId, int128 sizeE18, uint128 entryPriceE18);
    event Withdrawn(bytes32 indexed accountId, uint256 amountE18);
    event Liquidated(bytes32 indexed accountId, bytes32 indexed marketId, address by);
    event Credited(bytes32 indexed accountId, bytes32 indexed marketId, int128 amountE18);

    error NotOwner(address caller);
    error MarketUnknown(bytes32 marketId);
    error MarketExists(bytes32 marketId);
    error TooManyMarkets(uint256 most);
    error SizeZero();
    error OppositeSide(int128 sizeE18);
    error PriceNotPositive(int256 answer);
    error RealisedTooSmall(int128 have, uint256 need);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    /// @param rules one for each act kind, in its order
    /// @param settlementUnit 10 ** (18 - decimals of the settlement token)
    constructor(
        MarginVerifier verifier_,
        bytes32 policyId,
        uint64 policyDelay_,
        ActRule[3] memory rules,
        IERC20 settlement_,
        uint256 settlementUnit,
        MarketSeed[] memory seeds
    ) MarginGuard(verifier_, msg.sender, policyId, policyDelay_) {
        owner = msg.sender;
        settlement = settlement_;
        _settlementUnit = settlementUnit;
        for (uint256 i = 0; i < rules.length; ++i) {
            _setActRule(Act(i), rules[i]);
        }
        for (uint256 i = 0; i < seeds.length; ++i) {
            _addMarket(seeds[i]);
        }
    }

    // ------------------------------------------------------------------------------------------------------ trading

    /// Open or enlarge the sender's position at the feed's price.
    function openPosition(bytes32 marketId, int128 sizeDeltaE18, Evidence calldata e) external {
        if (sizeDeltaE18 == 0) revert SizeZero();
        bytes32 accountId = _sender();
        uint256 price = _priceE18(marketId);
        uint256 notional = _ceilDiv(_abs(sizeDeltaE18) * price, uint256(ONE));
        _requireInitial(accountId, Act.Open, _ceilDiv(notional * _marketOf[marketId].initialMarginPpm, PPM), e);
        _enlarge(accountId, marketId, sizeDeltaE18, price);
    }

    /// Close the sender's position at the feed's price. Needs no evidence: it lowers risk.
    function closePosition(bytes32 marketId) external {
        _close(_sender(), marketId);
    }

    /// Pay out realised gains of a market, in settlement tokens rounded down. Needs no evidence while the account has
    /// no position and owes nothing.
    function withdraw(bytes32 marketId, uint128 amountE18, Evidence calldata e) external {
        bytes32 accountId = _sender();
        _requireInitial(accountId, Act.Withdraw, amountE18, e);
        Position storage position = _settled(accountId, marketId);
        int128 realised = position.realisedE18;
        if (realised < 0 || uint128(realised) < amountE18) revert RealisedTooSmall(realised, amountE18);
        position.realisedE18 = realised - int128(amountE18); // amountE18 <= realised
        emit Withdrawn(accountId, amountE18);
        settlement.safeTransfer(msg.sender, amountE18 / _settlementUnit);
    }

    /// Close the position of an account whose evidence says liquidatable or worse. Anybody may.
    function liquidate(bytes32 accountId, bytes32 marketId, Evidence calldata e) external {
        _requireLiquidatable(accountId, e);
        _close(accountId, marketId);
        emit Liquidated(accountId, marketId, msg.sender);
    }

    // -------------------------------------------------------------------------------------------------------- views

    /// Size; floor(size * entry price / 1e18); realised - ceil(size * (funding index - entry index) / 1e18).
    function positionOf(bytes32 marketId, bytes32 accountId)
        external
        view
        returns (int256 sizeE18, int256 entryValueE18, int256 accruedE18)
    {
        Position memory position = _positionOf[accountId][marketId];
        int256 payment = _fundingOf(position, _marketOf[marketId].fundingIndexE18);
        return (position.sizeE18, _valueOf(position.sizeE18, position.entryPriceE18), position.realisedE18 - payment);
    }

    function marketOf(bytes32 marketId) external view returns (Market memory) {
        return _marketOf[marketId];
    }

    function accountCount() external view returns (uint256) {
        return _accounts.length;
    }

    /// Every account that ever had a position, in order of its first; `from` to `from + count - 1`, cut at the end.
    function accountsSlice(uint256 from, uint256 count) external view returns (bytes32[] memory) {
        return _slice(_accounts, from, count);
    }

    function marketCount() external view returns (uint256) {
        return _markets.length;
    }

    function marketsSlice(uint256 from, uint256 count) external view returns (bytes32[] memory) {
        return _slice(_markets, from, count);
    }

    // -------------------------------------------------------------------------------------------------------- owner

    function addMarket(MarketSeed calldata seed) external onlyOwner {
        _addMarket(seed);
    }

    function setFundingIndex(bytes32 marketId, int128 fundingIndexE18) external onlyOwner {
        _requireMarket(marketId);
        _marketOf[marketId].fundingIndexE18 = fundingIndexE18;
    }

    /// Write positions as they are given.
    function seedPositions(PositionSeed[] calldata seeds) external onlyOwner {
        for (uint256 i = 0; i < seeds.length; ++i) {
            PositionSeed calldata seed = seeds[i];
            _requireMarket(seed.marketId);
            _list(seed.accountId);
            _positionOf[seed.accountId][seed.marketId] = seed.position;
        }
    }

    /// Add to what an account has realised in a market: collateral seized elsewhere arrives, or a loss is written off.
    function credit(bytes32 accountId, bytes32 marketId, int128 amountE18) external onlyOwner {
        _requireMarket(marketId);
        _list(accountId);
        _positionOf[accountId][marketId].realisedE18 += amountE18;
        emit Credited(accountId, marketId, amountE18);
    }

    // -------------------------------------------------------------------------------------------------------- rules

    /// No position and no loss in any market.
    function _isFlat(bytes32 accountId) internal view override returns (bool) {
        for (uint256 i = 0; i < _markets.length; ++i) {
            Position storage position = _positionOf[accountId][_markets[i]];
            if (position.sizeE18 != 0 || position.realisedE18 < 0) return false;
        }
        return true;
    }

    function _enlarge(bytes32 accountId, bytes32 marketId, int128 delta, uint256 price) private {
        Position storage position = _settled(accountId, marketId);
        int128 size = position.sizeE18;
        if (size != 0 && (size > 0) != (delta > 0)) revert OppositeSide(size);
        uint256 cost = _abs(size) * position.entryPriceE18 + _abs(delta) * price;
        uint256 total = _abs(size) + _abs(delta);
        position.sizeE18 = size + delta;
        position.entryPriceE18 = (delta > 0 ? _ceilDiv(cost, total) : cost / total).toUint128();
        _list(accountId);
        emit PositionChanged(accountId, marketId, position.sizeE18, position.entryPriceE18);
    }

    function _close(bytes32 accountId, bytes32 marketId) private {
        uint256 price = _priceE18(marketId);
        Position storage position = _settled(accountId, marketId);
        int128 size = position.sizeE18;
        if (size == 0) revert SizeZero();
        int256 gain = _valueOf(size, price) - _valueOf(size, position.entryPriceE18);
        position.realisedE18 += gain.toInt128();
        position.sizeE18 = 0;
        position.entryPriceE18 = 0;
        emit PositionChanged(accountId, marketId, 0, 0);
    }

    /// The position with its funding up to now moved into `realised`.
    function _settled(bytes32 accountId, bytes32 marketId) private returns (Position storage position) {
        position = _positionOf[accountId][marketId];
        int128 index = _marketOf[marketId].fundingIndexE18;
        position.realisedE18 -= _fundingOf(position, index).toInt128();
        position.entryFundingIndexE18 = index;
    }

    function _addMarket(MarketSeed memory seed) private {
        if (_marketOf[seed.marketId].feed != address(0)) revert MarketExists(seed.marketId);
        if (_markets.length == MARKETS_MAX) revert TooManyMarkets(MARKETS_MAX);
        _marketOf[seed.marketId] = Market(seed.feed, DevFeed(seed.feed).decimals(), seed.initialMarginPpm, 0);
        _markets.push(seed.marketId);
    }

    function _list(bytes32 accountId) private {
        if (isListed[accountId]) return;
        isListed[accountId] = true;
        _accounts.push(accountId);
    }

    function _requireMarket(bytes32 marketId) private view {
        if (_marketOf[marketId].feed == address(0)) revert MarketUnknown(marketId);
    }

    /// @dev Feeds of the devnet have at most 18 decimals.
    function _priceE18(bytes32 marketId) private view returns (uint256) {
        _requireMarket(marketId);
        Market storage market = _marketOf[marketId];
        (, int256 answer,,,) = DevFeed(market.feed).latestRoundData();
        if (answer <= 0) revert PriceNotPositive(answer);
        return uint256(answer) * 10 ** (18 - market.feedDecimals);
    }

    function _sender() private view returns (bytes32) {
        return bytes32(uint256(uint160(msg.sender)));
    }

    /// What the position owes in funding since its entry index, rounded up: the payer pays more.
    function _fundingOf(Position memory position, int128 index) private pure returns (int256) {
        return -_floorDiv(-(int256(position.sizeE18) * (int256(index) - position.entryFundingIndexE18)), ONE);
    }

    function _valueOf(int128 sizeE18, uint256 priceE18) private pure returns (int256) {
        return _floorDiv(int256(sizeE18) * priceE18.toInt256(), ONE);
    }

    function _floorDiv(int256 a, int256 b) private pure returns (int256 quotient) {
        quotient = a / b;
        if (a % b < 0) --quotient; // b > 0
    }

    function _ceilDiv(uint256 a, uint256 b) private pure returns (uint256) {
        return a / b + (a % b == 0 ? 0 : 1);
    }

    function _abs(int128 value) private pure returns (uint256) {
        return uint256(value < 0 ? -int256(value) : int256(value));
    }

    function _slice(bytes32[] storage all, uint256 from, uint256 count) private view returns (bytes32[] memory slice) {
        uint256 length = all.length;
        if (from > length) from = length;
        if (count > length - from) count = length - from;
        slice = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            slice[i] = all[from + i];
        }
    }
}
