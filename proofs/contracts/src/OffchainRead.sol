// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MarginLeaf, MarginRoot} from "./MarginTypes.sol";

/// The question that a gateway answers with `abi.encode(Evidence)`.
interface IAttestationGateway {
    function attestationOf(bytes32 accountId, bytes32 venueId, uint64 leastAsOf)
        external
        view
        returns (MarginRoot memory root, bytes memory signatures, MarginLeaf memory leaf, bytes32[] memory proof);
}

/// ERC-3668 side of the guard: who is asked, and what.
abstract contract OffchainRead {
    uint256 internal constant URLS_MAX = 8;
    uint256 internal constant URL_BYTES_MAX = 256;

    string[] private _urls;

    event UrlsSet(string[] urls);

    error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callbackFunction, bytes extraData);
    error UrlInvalid(uint256 index);
    error TooManyUrls(uint256 most);

    function urls() external view returns (string[] memory) {
        return _urls;
    }

    function _lookUp(bytes32 accountId, bytes32 venueId, uint64 leastAsOf, bytes4 callback) internal view {
        revert OffchainLookup(
            address(this),
            _urls,
            abi.encodeCall(IAttestationGateway.attestationOf, (accountId, venueId, leastAsOf)),
            callback,
            abi.encode(accountId, venueId, leastAsOf)
        );
    }

    function _storeUrls(string[] calldata urls_) internal {
        if (urls_.length > URLS_MAX) revert TooManyUrls(URLS_MAX);
        delete _urls;
        for (uint256 i = 0; i < urls_.length; ++i) {
            bytes calldata url = bytes(urls_[i]);
            if (url.length > URL_BYTES_MAX || !_contains(url, "{sender}") || !_contains(url, "{data}")) {
                revert UrlInvalid(i);
            }
            _urls.push(urls_[i]);
        }
        emit UrlsSet(urls_);
    }

    function _contains(bytes calldata text, bytes memory part) private pure returns (bool) {
        bytes32 wanted = keccak256(part);
        for (uint256 i = 0; i + part.length <= text.length; ++i) {
            if (keccak256(text[i:i + part.length]) == wanted) return true;
        }
        return false;
    }
}
