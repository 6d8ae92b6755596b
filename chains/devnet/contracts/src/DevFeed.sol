// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// A price feed of the devnet with the reading side of Chainlink's AggregatorV3Interface; its owner says the price.
/// @dev Slot 0: int192 answer (low) and uint64 updatedAt (high). Slot 1: uint80 roundId. Storage proofs read slot 0.
contract DevFeed {
    int192 private _answer;
    uint64 private _updatedAt;
    uint80 private _roundId;

    address public immutable owner;
    uint8 public immutable decimals;
    string public description;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    error NotOwner(address caller);
    error AnswerOutOfRange(int256 answer);
    error RoundUnknown(uint80 roundId);

    constructor(string memory description_, uint8 decimals_, int256 answer) {
        owner = msg.sender;
        decimals = decimals_;
        description = description_;
        _store(answer, uint64(block.timestamp));
    }

    /// Say a price as of now. Zero and negative answers are possible: readers must refuse them.
    function setAnswer(int256 answer) external {
        _requireOwner();
        _store(answer, uint64(block.timestamp));
    }

    /// Say a price as of any time, also one to come.
    function setRound(int256 answer, uint64 updatedAt) external {
        _requireOwner();
        _store(answer, updatedAt);
    }

    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return (_roundId, _answer, _updatedAt, _updatedAt, _roundId);
    }

    /// The latest round only; a real feed keeps older ones.
    function getRoundData(uint80 wanted)
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        if (wanted != _roundId) revert RoundUnknown(wanted);
        return (_roundId, _answer, _updatedAt, _updatedAt, _roundId);
    }

    function version() external pure returns (uint256) {
        return 1;
    }

    function _requireOwner() private view {
        if (msg.sender != owner) revert NotOwner(msg.sender);
    }

    function _store(int256 answer, uint64 updatedAt) private {
        if (answer < type(int192).min || answer > type(int192).max) revert AnswerOutOfRange(answer);
        _answer = int192(answer);
        _updatedAt = updatedAt;
        _roundId += 1;
        emit AnswerUpdated(answer, _roundId, updatedAt);
    }
}
