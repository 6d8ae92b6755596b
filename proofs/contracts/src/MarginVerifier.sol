// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    ASSURANCE_AUTHENTICATED_HEADER,
    MarginHash,
    MarginLeaf,
    MarginRoot,
    QUALITY_DEVNET,
    STATUS_BAD_DEBT
} from "./MarginTypes.sol";
import {SignerSet} from "./SignerSet.sol";

/// Says whether a leaf stands under a root that a quorum of the signer set in force has signed.
/// Rules: it never answers `false`, it reverts with the name of the broken rule; all time bounds are inclusive and in
/// seconds; a root counts under the one signer set that is in force at its frame; removed keys count nowhere and never
/// come back. How old, how skewed and how good evidence may be is the venue's question (MarginGuard).
/// @dev Administrative calls carry their own deadline and order: a rotation names an absolute frame that lies within
/// [now + timelock, now + timelock + SCHEDULE_WINDOW] and after every earlier one, so a call signed in advance expires
/// and cannot be repeated. Admin and guardian never change; give them contracts that can rotate their own keys.
contract MarginVerifier {
    using MarginHash for MarginRoot;
    using MarginHash for MarginLeaf;

    /// Seconds that a root may lie ahead of this chain's clock.
    uint256 public constant FUTURE_TOLERANCE = 30;
    /// Seconds after the timelock within which a scheduled set must come into force.
    uint256 public constant SCHEDULE_WINDOW = 30 days;
    /// Sets that may wait for their first frame at the same time.
    uint256 public constant SCHEDULED_MAX = 8;
    /// Span, wherever it begins, over which the guardian may remove at most max(1, f) keys.
    uint256 public constant REMOVAL_WINDOW = 1 days;

    /// One slot: all that the hot path asks about a signer set. In force for frames in [fromFrame, untilFrame).
    struct Epoch {
        address set;
        uint40 fromFrame;
        uint40 untilFrame;
        uint8 k;
        bool hasRemoved;
    }

    /// Verified signers of a posted root, and the threshold of its set.
    struct Posted {
        uint32 bitmap;
        uint8 k;
    }

    /// A signer set as anybody sees it, removed members included.
    struct SetView {
        address[] signers;
        uint8 k;
        uint8 f;
        uint64 fromFrame;
        uint64 untilFrame;
        uint32 removedBitmap;
    }

    address public immutable admin;
    address public immutable guardian;
    uint64 public immutable rotationTimelock;
    bytes32 private immutable _separator;
    uint256 private immutable _chainId;

    /// Number of signer sets, past, present and scheduled.
    uint32 public epochCount;
    /// Times of the guardian's removals.
    uint64[] private _removedAt;
    mapping(uint256 epoch => Epoch) private _epochs;
    /// Bits of the members of a set that were removed.
    mapping(uint256 epoch => uint32 bitmap) public removedBitmap;
    mapping(address signer => bool) public isRemoved;
    /// A root that was posted, by its digest; bitmap zero: it was not.
    mapping(bytes32 digest => Posted) public posted;

    event EpochScheduled(uint32 indexed epoch, uint64 fromFrame, address[] signers, uint8 k, uint8 f);
    event SignerRemoved(address indexed signer, bool equivocated);
    event RootPosted(bytes32 indexed policyId, uint64 indexed frame, bytes32 accountsRoot, uint256 bitmap);
    event Equivocation(bytes32 indexed policyId, uint64 indexed frame, bytes32 digestA, bytes32 digestB);

    error NotAdmin(address caller);
    error NotGuardian(address caller);
    error ZeroAddress();
    /// A set must not come into force at a frame that an earlier set may have signed already.
    error TimelockTooShort(uint256 timelock, uint256 exceeds);
    error FromFrameTooSoon(uint256 fromFrame, uint256 least);
    error FromFrameTooLate(uint256 fromFrame, uint256 most);
    error TooManyScheduled(uint256 most);
    error SignerWasRemoved(address signer);
    error UnknownSigner(address signer);
    error RemovalLimit(uint256 most, uint256 until);
    error FrameInFuture(uint256 frame, uint256 latest);
    error AsOfInFuture(uint256 asOf, uint256 latest);
    error AsOfAfterFrame(uint256 asOf, uint256 frame);
    error ValidUntilBeforeAsOf(uint256 validUntil, uint256 asOf);
    error RootExpired(uint256 validUntil, uint256 blockTimestamp);
    error UnknownEpoch(uint256 epoch);
    error WrongEpoch(uint256 epoch, uint256 frame);
    error QuorumNotMet(uint256 have, uint256 need);
    error ZeroRoot();
    error EmptyTree();
    /// A number that no wire value names, or a quality bit that has no meaning.
    error LeafValueUnknown(uint256 status, uint256 assurance, uint256 quality);
    error ProofTooDeep(uint256 depth, uint256 leafCount);
    error ProofTooShort(uint256 depth, uint256 leafCount);
    error LeafNotInRoot(bytes32 leafHash);
    error RootNotPosted(bytes32 digest);
    error SlotsDiffer();
    error RootsEqual();
    error NoNewEquivocator();

    constructor(
        address admin_,
        address guardian_,
        uint64 rotationTimelock_,
        address[] memory signers,
        uint8 k,
        uint8 f
    ) {
        if (admin_ == address(0) || guardian_ == address(0)) revert ZeroAddress();
        if (rotationTimelock_ <= FUTURE_TOLERANCE) revert TimelockTooShort(rotationTimelock_, FUTURE_TOLERANCE);
        admin = admin_;
        guardian = guardian_;
        rotationTimelock = rotationTimelock_;
        _chainId = block.chainid;
        _separator = MarginHash.domainSeparator(block.chainid, address(this));
        _appendEpoch(signers, k, f, 0);
    }

    // ------------------------------------------------------------------------------------------------ verification

    /// Revert unless `sigs` is a quorum for `root` and `leaf` stands under it.
    /// @param sigs uint32 bitmap (bit i = signer i) ‖ one 64-byte EIP-2098 signature for each set bit, ascending
    /// @param proof sorted-pair keccak path; its length must fit the tree of `leafCount` leaves
    function verify(MarginRoot calldata root, bytes calldata sigs, MarginLeaf calldata leaf, bytes32[] calldata proof)
        external
        view
    {
        _requireTimes(root);
        _requireLeaf(root, leaf, proof);
        _requireQuorum(root, digest(root), sigs);
    }

    /// Store that a quorum signed `root`, so that its leaves verify without signatures. Posting again adds signers.
    function postRoot(MarginRoot calldata root, bytes calldata sigs) external {
        _requireTimes(root);
        _requireTrees(root);
        bytes32 rootDigest = digest(root);
        (uint32 bitmap, uint8 k) = _requireQuorum(root, rootDigest, sigs);
        bitmap |= posted[rootDigest].bitmap;
        posted[rootDigest] = Posted(bitmap, k);
        emit RootPosted(root.policyId, root.frame, root.accountsRoot, bitmap);
    }

    /// Revert unless `root` was posted, still has a quorum without the keys removed since, and `leaf` stands under it.
    function verifyPosted(MarginRoot calldata root, MarginLeaf calldata leaf, bytes32[] calldata proof) external view {
        _requireTimes(root);
        _requireLeaf(root, leaf, proof);
        bytes32 rootDigest = digest(root);
        Posted memory entry = posted[rootDigest];
        if (entry.bitmap == 0) revert RootNotPosted(rootDigest);
        _requireCount(entry.bitmap & ~removedBitmap[root.signerEpoch], entry.k);
    }

    // ------------------------------------------------------------------------------------------------- signer sets

    /// Append a signer set that is in force from `fromFrame` on. Its members must never have been removed.
    function scheduleEpoch(address[] calldata signers, uint8 k, uint8 f, uint64 fromFrame) external {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        uint256 count = epochCount;
        uint256 least = block.timestamp + rotationTimelock;
        uint256 previous = _epochs[count - 1].fromFrame;
        if (fromFrame > least + SCHEDULE_WINDOW) revert FromFrameTooLate(fromFrame, least + SCHEDULE_WINDOW);
        if (least <= previous) least = previous + 1;
        if (fromFrame < least) revert FromFrameTooSoon(fromFrame, least);
        if (count >= SCHEDULED_MAX && _epochs[count - SCHEDULED_MAX].fromFrame > block.timestamp) {
            revert TooManyScheduled(SCHEDULED_MAX);
        }
        _epochs[count - 1].untilFrame = uint40(fromFrame);
        _appendEpoch(signers, k, f, uint40(fromFrame));
    }

    /// Remove a key at once from every set it is in. At most max(1, f) keys in REMOVAL_WINDOW; none is ever added.
    function removeSigner(address signer) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        if (isRemoved[signer]) revert SignerWasRemoved(signer);
        (,, uint256 f) = SignerSet.sizes(SignerSet.load(_epochs[epochAt(block.timestamp)].set));
        uint256 most = f == 0 ? 1 : f;
        uint256 count = _removedAt.length;
        if (count >= most) {
            uint256 until = _removedAt[count - most] + REMOVAL_WINDOW;
            if (block.timestamp < until) revert RemovalLimit(most, until);
        }
        _removedAt.push(uint64(block.timestamp));
        if (!_remove(signer, false)) revert UnknownSigner(signer);
    }

    /// Remove every address that signed two different roots of one (policyId, frame), under whatever epochs.
    /// Needs no quorum: one common signature is enough. Anybody may call.
    function reportEquivocation(
        MarginRoot calldata rootA,
        bytes calldata sigsA,
        MarginRoot calldata rootB,
        bytes calldata sigsB
    ) external {
        if (rootA.policyId != rootB.policyId || rootA.frame != rootB.frame) revert SlotsDiffer();
        bytes32 digestA = digest(rootA);
        bytes32 digestB = digest(rootB);
        if (digestA == digestB) revert RootsEqual();
        address[] memory signersA = _recoverAll(rootA.signerEpoch, digestA, sigsA);
        address[] memory signersB = _recoverAll(rootB.signerEpoch, digestB, sigsB);
        uint256 removals;
        for (uint256 i = 0; i < signersA.length; ++i) {
            if (isRemoved[signersA[i]] || !_contains(signersB, signersA[i])) continue;
            _remove(signersA[i], true);
            ++removals;
        }
        if (removals == 0) revert NoNewEquivocator();
        emit Equivocation(rootA.policyId, rootA.frame, digestA, digestB);
    }

    // ------------------------------------------------------------------------------------------------------- views

    /// EIP-712 domain separator of this contract on the chain it runs on now.
    function domainSeparator() public view returns (bytes32) {
        if (block.chainid == _chainId) return _separator;
        return MarginHash.domainSeparator(block.chainid, address(this));
    }

    /// The 32 bytes that margin keys sign.
    function digest(MarginRoot calldata root) public view returns (bytes32) {
        return MarginHash.digest(domainSeparator(), root.hash());
    }

    function hashRoot(MarginRoot calldata root) external pure returns (bytes32) {
        return root.hash();
    }

    function hashLeaf(MarginLeaf calldata leaf) external pure returns (bytes32) {
        return leaf.hash();
    }

    function signerSet(uint32 epoch) external view returns (SetView memory seen) {
        Epoch memory entry = _epochs[epoch];
        if (entry.set == address(0)) revert UnknownEpoch(epoch);
        bytes memory data = SignerSet.load(entry.set);
        (uint256 n,, uint256 f) = SignerSet.sizes(data);
        address[] memory signers = new address[](n);
        for (uint256 i = 0; i < n; ++i) {
            signers[i] = SignerSet.member(data, i);
        }
        return SetView(signers, entry.k, uint8(f), entry.fromFrame, entry.untilFrame, removedBitmap[epoch]);
    }

    /// Number of the set in force at a frame.
    function epochAt(uint256 frame) public view returns (uint256 epoch) {
        epoch = epochCount - 1;
        while (_epochs[epoch].fromFrame > frame) --epoch;
    }

    // ------------------------------------------------------------------------------------------------------- rules

    function _requireTimes(MarginRoot calldata root) private view {
        uint256 latest = block.timestamp + FUTURE_TOLERANCE;
        uint256 asOf = root.asOf;
        uint256 validUntil = root.validUntil;
        if (root.frame > latest) revert FrameInFuture(root.frame, latest);
        if (asOf > latest) revert AsOfInFuture(asOf, latest);
        // A frame's blocks are those at or before its time. Without this a retired set could sign an old frame as new.
        if (asOf > root.frame) revert AsOfAfterFrame(asOf, root.frame);
        if (block.timestamp > validUntil) revert RootExpired(validUntil, block.timestamp);
        if (validUntil < asOf) revert ValidUntilBeforeAsOf(validUntil, asOf);
    }

    function _requireTrees(MarginRoot calldata root) private pure {
        if (root.accountsRoot == 0 || root.snapshotRoot == 0) revert ZeroRoot();
        if (root.leafCount == 0) revert EmptyTree();
    }

    /// The tree is complete: n leaves stand at depth floor(log2 n) or ceil(log2 n), so an inner node never fits as leaf.
    function _requireLeaf(MarginRoot calldata root, MarginLeaf calldata leaf, bytes32[] calldata proof) private pure {
        uint256 leafCount = root.leafCount;
        uint256 depth = proof.length;
        _requireTrees(root);
        _requireKnown(leaf);
        if (depth > 64 || (1 << depth) >= leafCount << 1) revert ProofTooDeep(depth, leafCount);
        if ((2 << depth) <= leafCount) revert ProofTooShort(depth, leafCount);
        bytes32 leafHash = leaf.hash();
        if (MarginHash.climb(proof, leafHash) != root.accountsRoot) revert LeafNotInRoot(leafHash);
    }

    /// Status, assurance and quality are words 2 to 4 of a leaf.
    function _requireKnown(MarginLeaf calldata leaf) private pure {
        uint256 status;
        uint256 assurance;
        uint256 quality;
        assembly ("memory-safe") {
            status := calldataload(add(leaf, 0x40))
            assurance := calldataload(add(leaf, 0x60))
            quality := calldataload(add(leaf, 0x80))
        }
        if (status > STATUS_BAD_DEBT || assurance > ASSURANCE_AUTHENTICATED_HEADER || quality >= QUALITY_DEVNET << 1) {
            revert LeafValueUnknown(status, assurance, quality);
        }
    }

    function _requireQuorum(MarginRoot calldata root, bytes32 rootDigest, bytes calldata sigs)
        private
        view
        returns (uint32 bitmap, uint8 k)
    {
        Epoch memory epoch = _epochs[root.signerEpoch];
        if (epoch.set == address(0)) revert UnknownEpoch(root.signerEpoch);
        if (root.frame < epoch.fromFrame || root.frame >= epoch.untilFrame) {
            revert WrongEpoch(root.signerEpoch, root.frame);
        }
        bitmap = SignerSet.recover(SignerSet.load(epoch.set), rootDigest, sigs);
        k = epoch.k;
        _requireCount(epoch.hasRemoved ? bitmap & ~removedBitmap[root.signerEpoch] : bitmap, k);
    }

    function _requireCount(uint256 bitmap, uint256 need) private pure {
        uint256 have = SignerSet.popcount(bitmap);
        if (have < need) revert QuorumNotMet(have, need);
    }

    function _appendEpoch(address[] memory signers, uint8 k, uint8 f, uint40 fromFrame) private {
        for (uint256 i = 0; i < signers.length; ++i) {
            if (isRemoved[signers[i]]) revert SignerWasRemoved(signers[i]);
        }
        uint32 number = epochCount++;
        _epochs[number] = Epoch(SignerSet.store(signers, k, f), fromFrame, type(uint40).max, k, false);
        emit EpochScheduled(number, fromFrame, signers, k, f);
    }

    /// Mark the key removed in every set it is a member of; says whether there was one.
    function _remove(address signer, bool equivocated) private returns (bool isMember) {
        isRemoved[signer] = true;
        uint256 count = epochCount;
        for (uint256 number = 0; number < count; ++number) {
            (bool found, uint256 index) = SignerSet.find(SignerSet.load(_epochs[number].set), signer);
            if (!found) continue;
            isMember = true;
            removedBitmap[number] |= uint32(1 << index);
            _epochs[number].hasRemoved = true;
        }
        emit SignerRemoved(signer, equivocated);
    }

    function _recoverAll(uint256 number, bytes32 rootDigest, bytes calldata sigs)
        private
        view
        returns (address[] memory signers)
    {
        address set = _epochs[number].set;
        if (set == address(0)) revert UnknownEpoch(number);
        bytes memory data = SignerSet.load(set);
        uint256 rest = SignerSet.recover(data, rootDigest, sigs);
        signers = new address[](SignerSet.popcount(rest));
        uint256 filled;
        for (uint256 index = 0; rest != 0; ++index) {
            if (rest & 1 == 1) signers[filled++] = SignerSet.member(data, index);
            rest >>= 1;
        }
    }

    function _contains(address[] memory signers, address signer) private pure returns (bool) {
        for (uint256 i = 0; i < signers.length; ++i) {
            if (signers[i] == signer) return true;
        }
        return false;
    }
}
