// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    MarginLeaf,
    MarginRoot,
    QUALITY_CHAIN_MISSING,
    QUALITY_DEVNET,
    STATUS_BAD_DEBT,
    STATUS_HEALTHY,
    STATUS_LIQUIDATABLE,
    STATUS_UNKNOWN,
    STATUS_WARNING
} from "./MarginTypes.sol";
import {MarginVerifier} from "./MarginVerifier.sol";
import {OffchainRead} from "./OffchainRead.sol";

/// What a caller hands over: a leaf, its root and the proof between them.
/// @dev Empty `signatures` mean that the root was posted to the verifier.
struct Evidence {
    MarginRoot root;
    bytes signatures;
    MarginLeaf leaf;
    bytes32[] proof;
}

/// Base of a venue: decides whether an act is covered by the account's evidence.
/// Rules: unknown accounts never grow; evidence is spent once (INV-31); a newer frame replaces an older one for good;
/// what lowers risk (repay, add collateral, close) needs no evidence and must not call this contract.
/// Units: USD scaled 1e18, times unix seconds, all bounds inclusive.
/// @dev Storage slots 0 to 5 belong to the guard; a venue's own state follows.
abstract contract MarginGuard is OffchainRead {
    /// Kinds of acts that need evidence, each with a rule of its own.
    enum Act {
        Open,
        Withdraw,
        Liquidate
    }

    /// Limits of one act kind. There are no defaults: an act without a rule is refused.
    struct ActRule {
        uint32 maxAge; // seconds since asOf
        uint32 maxSkew; // seconds between the oldest and the newest chain
        uint8 minAssurance; // 1 to 3
        uint16 forbiddenQuality; // mask of quality bits; devnet is forbidden everywhere but on devnets
    }

    /// One slot for each account.
    struct AccountEvidence {
        uint40 lastFrame; // newest frame seen
        uint40 lastActAt; // time of the last act, or the asOf of its evidence if that lay ahead
        uint40 unknownSince; // since when every frame seen was unknown, 0: the last one was not
        uint128 pending; // initial margin used since, which no evidence shows yet
    }

    /// Seconds after the delay within which an announced policy must become active.
    uint256 public constant ANNOUNCE_WINDOW = 30 days;
    /// Seconds between two frames seen unknown that still count as one stretch of being unknown.
    uint256 public constant UNKNOWN_GAP_MAX = 1 hours;

    MarginVerifier public immutable verifier;
    address public immutable policyAdmin;
    /// Seconds between the announcement of a policy and the earliest frame under it.
    uint64 public immutable policyDelay;
    bytes32 public immutable venueId;

    /// Policy of frames before `activationFrame`.
    bytes32 public activePolicy;
    /// Policy of frames from `activationFrame` on; zero: none announced.
    bytes32 public successorPolicy;
    uint64 public activationFrame;
    mapping(bytes32 accountId => AccountEvidence) private _evidenceOf;
    mapping(Act => ActRule) private _ruleOf;

    event PolicyAnnounced(bytes32 indexed successor, uint64 activationFrame);
    event EvidenceUsed(bytes32 indexed accountId, Act act, uint64 frame, uint256 addedInitialUsd, uint256 pendingUsd);
    event FrameRaised(bytes32 indexed accountId, uint64 frame, uint8 status);

    error NotPolicyAdmin(address caller);
    error PolicyInvalid();
    error ActivationTooSoon(uint256 frame, uint256 least);
    error ActivationTooLate(uint256 frame, uint256 most);
    error ActRuleInvalid(Act act);
    error ActRuleMissing(Act act);
    error GrowthPaused();
    error WrongAccount(bytes32 expected, bytes32 have);
    error WrongVenue(bytes32 expected, bytes32 have);
    error WrongPolicy(bytes32 expected, bytes32 have);
    error FrameSuperseded(uint256 frame, uint256 lastFrame);
    error FrameNotNewer(uint256 frame, uint256 lastFrame);
    error StatusRefused(uint8 status);
    error AssuranceTooLow(uint8 have, uint8 need);
    error QualityForbidden(uint16 bits);
    error EvidenceTooOld(uint256 age, uint256 most);
    error AsOfTooOld(uint256 asOf, uint256 least);
    error SkewTooLarge(uint256 skew, uint256 most);
    error ExcessInsufficient(uint256 collateralUsd, uint256 needUsd);
    error UnknownNotLongEnough(uint256 unknownSince, uint256 grace);

    constructor(MarginVerifier verifier_, address policyAdmin_, bytes32 policyId, uint64 policyDelay_) {
        if (address(verifier_) == address(0) || policyAdmin_ == address(0) || policyId == 0) revert PolicyInvalid();
        verifier = verifier_;
        policyAdmin = policyAdmin_;
        policyDelay = policyDelay_;
        activePolicy = policyId;
        venueId = keccak256(abi.encode(block.chainid, address(this)));
    }

    // ------------------------------------------------------------------------------------------------------ public

    /// Show newer evidence of an account, so that older evidence stops counting. Anybody may.
    function poke(Evidence calldata e) external {
        bytes32 accountId = e.leaf.accountId;
        _requireOurs(accountId, e);
        AccountEvidence memory seen = _evidenceOf[accountId];
        if (e.root.frame <= seen.lastFrame) revert FrameNotNewer(e.root.frame, seen.lastFrame);
        _raise(seen, e);
        _evidenceOf[accountId] = seen;
        emit FrameRaised(accountId, e.root.frame, e.leaf.status);
    }

    /// Announce the policy that counts for frames from `frame` on, which lies within
    /// [now + policyDelay, now + policyDelay + ANNOUNCE_WINDOW]: a call signed in advance expires.
    function announcePolicy(bytes32 successor, uint64 frame) external {
        if (msg.sender != policyAdmin) revert NotPolicyAdmin(msg.sender);
        if (successor == 0) revert PolicyInvalid();
        uint256 least = block.timestamp + policyDelay;
        if (frame < least) revert ActivationTooSoon(frame, least);
        if (frame > least + ANNOUNCE_WINDOW) revert ActivationTooLate(frame, least + ANNOUNCE_WINDOW);
        if (successorPolicy != 0 && activationFrame <= block.timestamp) activePolicy = successorPolicy;
        successorPolicy = successor;
        activationFrame = frame;
        emit PolicyAnnounced(successor, frame);
    }

    /// Set the gateways of `marginOf`; each needs both placeholders, {sender} and {data}.
    function setUrls(string[] calldata urls_) external {
        if (msg.sender != policyAdmin) revert NotPolicyAdmin(msg.sender);
        _storeUrls(urls_);
    }

    /// Policy whose roots count at a frame.
    function policyAt(uint64 frame) public view returns (bytes32) {
        return successorPolicy != 0 && frame >= activationFrame ? successorPolicy : activePolicy;
    }

    function evidenceOf(bytes32 accountId) external view returns (AccountEvidence memory) {
        return _evidenceOf[accountId];
    }

    function ruleOf(Act act) external view returns (ActRule memory) {
        return _ruleOf[act];
    }

    /// ERC-3668 read: the account's leaf from a gateway, no older than `leastAsOf`.
    function marginOf(bytes32 accountId, uint64 leastAsOf) external view returns (MarginLeaf memory, uint64, uint64) {
        _lookUp(accountId, venueId, leastAsOf, this.marginOfCallback.selector);
    }

    /// Check a gateway's answer (`abi.encode(Evidence)`) against the question in `extraData`.
    /// The leaf may be unknown or of any quality: the reader decides. Figures of an unknown leaf are bounds.
    function marginOfCallback(bytes calldata response, bytes calldata extraData)
        external
        view
        returns (MarginLeaf memory leaf, uint64 frame, uint64 asOf)
    {
        (bytes32 accountId, bytes32 venue, uint64 leastAsOf) = abi.decode(extraData, (bytes32, bytes32, uint64));
        if (venue != venueId) revert WrongVenue(venueId, venue);
        return this.readEvidence(accountId, leastAsOf, abi.decode(response, (Evidence)));
    }

    /// What verified evidence says about an account, without spending it.
    function readEvidence(bytes32 accountId, uint64 leastAsOf, Evidence calldata e)
        external
        view
        returns (MarginLeaf memory leaf, uint64 frame, uint64 asOf)
    {
        _requireOurs(accountId, e);
        _requireNotSuperseded(_evidenceOf[accountId].lastFrame, e.root.frame);
        if (e.root.asOf < leastAsOf) revert AsOfTooOld(e.root.asOf, leastAsOf);
        return (e.leaf, e.root.frame, e.root.asOf);
    }

    // --------------------------------------------------------------------------------------------------- for venues

    /// Require that the account's excess over initial margin covers what was used since and this act, and use it.
    /// @param addedInitialUsd initial margin the act adds, or value it takes out, rounded up
    function _requireInitial(bytes32 accountId, Act act, uint256 addedInitialUsd, Evidence calldata e) internal {
        if (act == Act.Liquidate) revert ActRuleInvalid(act);
        if (act == Act.Withdraw && _isFlat(accountId)) return _recordUnproven(accountId, addedInitialUsd);
        if (_growthPaused()) revert GrowthPaused();
        AccountEvidence memory seen = _requireFresh(accountId, act, e);
        uint8 status = e.leaf.status;
        if (status != STATUS_HEALTHY && status != STATUS_WARNING) revert StatusRefused(status);
        // Only evidence read after the last act, on every chain, shows that act.
        if (e.root.asOf > seen.lastActAt && e.leaf.quality & QUALITY_CHAIN_MISSING == 0) seen.pending = 0;
        uint256 pending = seen.pending + addedInitialUsd;
        uint256 need = uint256(e.leaf.liabilityUsd) + e.leaf.initialMarginUsd + pending;
        if (need > e.leaf.collateralUsd) revert ExcessInsufficient(e.leaf.collateralUsd, need);
        seen.pending = uint128(pending); // at most collateralUsd
        // Evidence dated ahead of this clock cannot show the act either: only a later date than its own can.
        seen.lastActAt = _latest(seen.lastActAt, block.timestamp, e.root.asOf);
        _evidenceOf[accountId] = seen;
        emit EvidenceUsed(accountId, act, e.root.frame, addedInitialUsd, pending);
    }

    /// Require that the account is liquidatable or in bad debt.
    function _requireLiquidatable(bytes32 accountId, Evidence calldata e) internal {
        AccountEvidence memory seen = _requireFresh(accountId, Act.Liquidate, e);
        uint8 status = e.leaf.status;
        if (status != STATUS_LIQUIDATABLE && status != STATUS_BAD_DEBT) revert StatusRefused(status);
        _evidenceOf[accountId] = seen;
    }

    /// Require that the account is unknown now and was first seen so at least `grace` seconds ago.
    function _requireUnknownFor(bytes32 accountId, uint256 grace, Evidence calldata e) internal {
        AccountEvidence memory seen = _requireFresh(accountId, Act.Liquidate, e);
        if (e.leaf.status != STATUS_UNKNOWN) revert StatusRefused(e.leaf.status);
        if (block.timestamp < uint256(seen.unknownSince) + grace) revert UnknownNotLongEnough(seen.unknownSince, grace);
        _evidenceOf[accountId] = seen;
    }

    /// Set the limits of an act kind; a venue does so for every kind in its constructor.
    function _setActRule(Act act, ActRule memory rule) internal {
        if (rule.maxAge == 0 || rule.minAssurance == 0 || rule.minAssurance > 3) revert ActRuleInvalid(act);
        _ruleOf[act] = rule;
    }

    /// Whether the account has no position and no debt: its withdrawals need no evidence.
    function _isFlat(bytes32 accountId) internal view virtual returns (bool) {
        accountId;
        return false;
    }

    /// Whether growth is refused now. A venue on a chain that can back-date blocks answers from its sequencer feed.
    function _growthPaused() internal view virtual returns (bool) {
        return false;
    }

    // ------------------------------------------------------------------------------------------------------- rules

    /// All that holds for every act: ours, rule kept, not superseded. Returns the account's record with the frame raised.
    function _requireFresh(bytes32 accountId, Act act, Evidence calldata e)
        private
        view
        returns (AccountEvidence memory seen)
    {
        ActRule memory rule = _ruleOf[act];
        if (rule.maxAge == 0) revert ActRuleMissing(act);
        _requireOurs(accountId, e);
        if (e.leaf.assurance < rule.minAssurance) revert AssuranceTooLow(e.leaf.assurance, rule.minAssurance);
        uint16 forbidden = e.leaf.quality & rule.forbiddenQuality;
        if (forbidden != 0) revert QualityForbidden(forbidden);
        uint256 asOf = e.root.asOf;
        uint256 age = block.timestamp > asOf ? block.timestamp - asOf : 0;
        if (age > rule.maxAge) revert EvidenceTooOld(age, rule.maxAge);
        if (e.root.skew > rule.maxSkew) revert SkewTooLarge(e.root.skew, rule.maxSkew);
        seen = _evidenceOf[accountId];
        _requireNotSuperseded(seen.lastFrame, e.root.frame);
        _raise(seen, e);
    }

    /// Signed by a quorum, for this account, venue and policy; the devnet bit on devnets only.
    function _requireOurs(bytes32 accountId, Evidence calldata e) private view {
        if (e.leaf.accountId != accountId) revert WrongAccount(accountId, e.leaf.accountId);
        if (e.leaf.venueId != venueId) revert WrongVenue(venueId, e.leaf.venueId);
        bytes32 policyId = policyAt(e.root.frame);
        if (e.root.policyId != policyId) revert WrongPolicy(policyId, e.root.policyId);
        if (e.leaf.quality & QUALITY_DEVNET != 0 && block.chainid / 1000 != 31337) {
            revert QualityForbidden(QUALITY_DEVNET);
        }
        if (e.signatures.length == 0) verifier.verifyPosted(e.root, e.leaf, e.proof);
        else verifier.verify(e.root, e.signatures, e.leaf, e.proof);
    }

    function _requireNotSuperseded(uint256 lastFrame, uint256 frame) private pure {
        if (frame < lastFrame) revert FrameSuperseded(frame, lastFrame);
    }

    /// What a flat account withdraws needs no evidence, but older evidence may still count it as collateral.
    function _recordUnproven(bytes32 accountId, uint256 amountUsd) private {
        AccountEvidence memory seen = _evidenceOf[accountId];
        uint256 room = type(uint128).max - seen.pending;
        seen.pending += uint128(amountUsd < room ? amountUsd : room);
        seen.lastActAt = _latest(seen.lastActAt, block.timestamp, 0);
        _evidenceOf[accountId] = seen;
    }

    /// Frames are at most 30 s ahead of the clock (verifier), so 40 bits hold them; `e` is not older than `seen`.
    /// A stretch of being unknown is one of sightings near to each other: two outages a week apart are not a week.
    function _raise(AccountEvidence memory seen, Evidence calldata e) private view {
        uint256 gap = e.root.frame - seen.lastFrame;
        if (e.leaf.status != STATUS_UNKNOWN) seen.unknownSince = 0;
        else if (seen.unknownSince == 0 || gap > UNKNOWN_GAP_MAX) seen.unknownSince = uint40(block.timestamp);
        seen.lastFrame = uint40(e.root.frame);
    }

    /// Times of acts and of verified evidence, which fit 40 bits.
    function _latest(uint256 a, uint256 b, uint256 c) private pure returns (uint40) {
        if (b > a) a = b;
        return uint40(c > a ? c : a);
    }
}
