"""A provider's URL stays where it is."""

from __future__ import annotations

import copy
import pickle

import pytest

from chains.errors import SecretRefused
from chains.rpc import Provider
from chains.secret import SecretUrl

URL = "https://user:pa55word@node.example:8545/v2/0123456789abcdef?key=topsecret"


def test_secret__when_shown_in_any_way__then_only_the_scheme_is_seen() -> None:
    secret = SecretUrl(URL)
    provider = Provider("label", "operator", secret)

    shown = f"{secret} {secret!r} {[secret]} {provider} {provider!r}"

    for part in ("user", "pa55word", "node.example", "8545", "0123456789abcdef", "topsecret"):
        assert part not in shown
    assert str(secret) == "https://***"
    assert secret.reveal() == URL


def test_secret__when_compared__then_equal_urls_are_equal() -> None:
    assert SecretUrl(URL) == SecretUrl(URL)
    assert SecretUrl(URL) != SecretUrl("https://other.example/")
    assert len({SecretUrl(URL), SecretUrl(URL)}) == 1


def test_secret__when_it_would_leave_the_process__then_it_refuses() -> None:
    with pytest.raises(TypeError, match="does not leave"):
        pickle.dumps(SecretUrl(URL))
    with pytest.raises(TypeError, match="does not leave"):
        copy.deepcopy(SecretUrl(URL))


def test_secret__when_its_host_is_at_the_limit_or_an_address__then_it_is_taken() -> None:
    for url in (f"http://{'n' * 63}.example/", "http://node.example./", "http://[::1]:8545/", "http://127.0.0.1/"):
        assert SecretUrl(url).reveal() == url


def test_mask__when_somebody_repeats_the_url_or_a_part__then_it_is_starred() -> None:
    secret = SecretUrl(URL)

    masked = secret.mask(f"cannot reach {URL} at node.example: key 0123456789abcdef is over its limit")

    for part in ("pa55word", "node.example", "0123456789abcdef", "topsecret"):
        assert part not in masked
    assert masked.endswith("is over its limit")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "node.example",
        "ftp://node.example",
        "ws://node.example",
        "http://",
        "http://a b/",
        "http://[::1/",
        "http://a:port/",
        "http://node..example/",
        "http://./",
        f"http://{'n' * 64}.example/",
    ],
)
def test_secret__when_it_is_no_http_url__then_it_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SecretRefused) as refused:
        SecretUrl(url)

    assert not url or url not in str(refused.value)
    assert refused.value.__context__ is None
