// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// Collateral that backs one account at one venue and nothing else.
/// Rules: anybody locks for any account; a lock counts until its depositor requests the release and can be seized until
/// it is paid out; the delay is longer than any attestation that counted the lock lives. Nobody can change a lock's
/// venue, account, seizer, receiver or delay.
/// Units: amounts in the asset's own raw units, times unix seconds, asset zero is the native coin.
/// @dev Storage proofs read slots 0 to 2; their layout is fixed and tested. Tokens whose balances move by themselves
/// (rebasing) are not safe here: a policy must not count them.
contract LockBox is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Lock {
        address depositor;
        uint64 releasableAt; // 0: no release requested, the lock counts
        address asset;
        uint128 amount; // what is left
        bytes32 venueId;
        bytes32 accountId;
    }

    struct Venue {
        address seizer;
        address receiver;
    }

    /// Largest sum that a packed reader can express (its all-ones word means failure).
    uint256 public constant LOCKED_MAX = type(uint128).max - 1;
    uint64 public constant RELEASE_DELAY_MAX = 365 days;

    address public immutable registrar;
    uint64 public immutable releaseDelay;

    /// Slot 0: sum of the locks that count.
    mapping(bytes32 venueId => mapping(address asset => mapping(bytes32 accountId => uint256))) public locked;
    /// Slot 1: every account ever named in a lock to the venue, in order of its first lock.
    mapping(bytes32 venueId => bytes32[]) private accounts;
    /// Slot 2.
    mapping(bytes32 venueId => mapping(bytes32 accountId => bool)) public isListed;
    /// Slot 3.
    mapping(uint256 lockId => Lock) private locks;
    /// Slot 4.
    uint256 public nextLockId;
    /// Slot 5.
    mapping(bytes32 venueId => Venue) public venues;

    event VenueRegistered(bytes32 indexed venueId, address seizer, address receiver);
    event Locked(
        uint256 indexed lockId,
        bytes32 indexed venueId,
        bytes32 indexed accountId,
        address asset,
        address depositor,
        uint256 amount
    );
    event ReleaseRequested(
        uint256 indexed lockId, bytes32 indexed venueId, bytes32 indexed accountId, uint256 amount, uint64 releasableAt
    );
    event Released(uint256 indexed lockId, bytes32 indexed venueId, bytes32 indexed accountId, uint256 amount);
    event Seized(uint256 indexed lockId, bytes32 indexed venueId, bytes32 indexed accountId, uint256 amount);

    error NotRegistrar(address caller);
    error NotDepositor(address caller);
    error NotSeizer(address caller);
    error ZeroAddress();
    error ZeroAccount();
    error ZeroAmount();
    error ReleaseDelayInvalid(uint256 releaseDelay);
    error VenueUnknown(bytes32 venueId);
    error VenueExists(bytes32 venueId);
    error NativeValueWrong(uint256 have, uint256 need);
    error AmountTooLarge(uint256 amount, uint256 most);
    error ReleaseAlreadyRequested(uint256 lockId);
    error ReleaseNotRequested(uint256 lockId);
    error NotYetReleasable(uint256 releasableAt, uint256 blockTimestamp);
    error NativeTransferFailed(address to);

    constructor(address registrar_, uint64 releaseDelay_) {
        if (registrar_ == address(0)) revert ZeroAddress();
        if (releaseDelay_ == 0 || releaseDelay_ > RELEASE_DELAY_MAX) revert ReleaseDelayInvalid(releaseDelay_);
        registrar = registrar_;
        releaseDelay = releaseDelay_;
    }

    /// Fix who may seize locks of a venue and who is paid. Once for each venue, for good.
    function registerVenue(bytes32 venueId, address seizer, address receiver) external {
        if (msg.sender != registrar) revert NotRegistrar(msg.sender);
        if (seizer == address(0) || receiver == address(0)) revert ZeroAddress();
        if (venues[venueId].seizer != address(0)) revert VenueExists(venueId);
        venues[venueId] = Venue(seizer, receiver);
        emit VenueRegistered(venueId, seizer, receiver);
    }

    /// Lock `amount` of `asset` for an account at a venue. Counts what arrives, which may be less (fee on transfer).
    function lock(address asset, uint256 amount, bytes32 venueId, bytes32 accountId)
        external
        payable
        nonReentrant
        returns (uint256 lockId)
    {
        if (venues[venueId].seizer == address(0)) revert VenueUnknown(venueId);
        if (accountId == 0) revert ZeroAccount();
        uint256 received = _receive(asset, amount);
        if (received == 0) revert ZeroAmount();
        uint256 sum = locked[venueId][asset][accountId];
        if (received > LOCKED_MAX - sum) revert AmountTooLarge(received, LOCKED_MAX - sum);
        locked[venueId][asset][accountId] = sum + received;
        if (!isListed[venueId][accountId]) {
            isListed[venueId][accountId] = true;
            accounts[venueId].push(accountId);
        }
        lockId = nextLockId++;
        locks[lockId] = Lock(msg.sender, 0, asset, uint128(received), venueId, accountId);
        emit Locked(lockId, venueId, accountId, asset, msg.sender, received);
    }

    /// Stop the lock from counting and start its delay. Cannot be taken back; lock again instead.
    function requestRelease(uint256 lockId) external nonReentrant {
        Lock storage entry = locks[lockId];
        if (msg.sender != entry.depositor) revert NotDepositor(msg.sender);
        if (entry.releasableAt != 0) revert ReleaseAlreadyRequested(lockId);
        if (entry.amount == 0) revert ZeroAmount();
        uint64 releasableAt = uint64(block.timestamp) + releaseDelay;
        entry.releasableAt = releasableAt;
        locked[entry.venueId][entry.asset][entry.accountId] -= entry.amount;
        emit ReleaseRequested(lockId, entry.venueId, entry.accountId, entry.amount, releasableAt);
    }

    /// Pay the depositor what is left, from `releasableAt` on. Anybody may call.
    function release(uint256 lockId) external nonReentrant {
        Lock storage entry = locks[lockId];
        uint256 releasableAt = entry.releasableAt;
        if (releasableAt == 0) revert ReleaseNotRequested(lockId);
        if (block.timestamp < releasableAt) revert NotYetReleasable(releasableAt, block.timestamp);
        uint256 amount = entry.amount;
        if (amount == 0) revert ZeroAmount();
        entry.amount = 0;
        emit Released(lockId, entry.venueId, entry.accountId, amount);
        _pay(entry.asset, entry.depositor, amount);
    }

    /// Pay up to the whole lock to the venue's receiver. Only its seizer; also while a release is pending.
    function seize(uint256 lockId, uint256 amount) external nonReentrant {
        Lock storage entry = locks[lockId];
        Venue memory venue = venues[entry.venueId];
        if (msg.sender != venue.seizer) revert NotSeizer(msg.sender);
        if (amount == 0) revert ZeroAmount();
        if (amount > entry.amount) revert AmountTooLarge(amount, entry.amount);
        if (entry.releasableAt == 0) locked[entry.venueId][entry.asset][entry.accountId] -= amount;
        entry.amount -= uint128(amount);
        emit Seized(lockId, entry.venueId, entry.accountId, amount);
        _pay(entry.asset, venue.receiver, amount);
    }

    function lockOf(uint256 lockId) external view returns (Lock memory) {
        return locks[lockId];
    }

    function accountCount(bytes32 venueId) external view returns (uint256) {
        return accounts[venueId].length;
    }

    function accountAt(bytes32 venueId, uint256 index) external view returns (bytes32) {
        return accounts[venueId][index];
    }

    /// Accounts `from` to `from + count - 1`, cut at the end of the list.
    function accountsSlice(bytes32 venueId, uint256 from, uint256 count) external view returns (bytes32[] memory slice) {
        bytes32[] storage all = accounts[venueId];
        uint256 length = all.length;
        if (from > length) from = length;
        if (count > length - from) count = length - from;
        slice = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            slice[i] = all[from + i];
        }
    }

    function _receive(address asset, uint256 amount) private returns (uint256) {
        if (asset == address(0)) {
            if (msg.value != amount) revert NativeValueWrong(msg.value, amount);
            return amount;
        }
        if (msg.value != 0) revert NativeValueWrong(msg.value, 0);
        uint256 before = IERC20(asset).balanceOf(address(this));
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        return IERC20(asset).balanceOf(address(this)) - before;
    }

    function _pay(address asset, address to, uint256 amount) private {
        if (asset != address(0)) {
            IERC20(asset).safeTransfer(to, amount);
            return;
        }
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert NativeTransferFailed(to);
    }
}
