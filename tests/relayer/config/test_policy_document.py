"""The policy document: every key, every rule between keys, and what it expands to."""

from __future__ import annotations

from typing import Any

import pytest

from chains.readers import COLLATERAL, column_of, list_of
from proofs.types import AccountId, Assurance, Encumbrance, Finality, LegKind
from relayer.config.policy_document import load_policy, parse_policy
from relayer.config.policy_notes import notes_on
from relayer.config.policy_rules import COLLATERAL_ENCUMBRANCE, signer_set_problem
from relayer.errors import ConfigError
from tests.relayer.config.documents import POLICY_TEXT, changed, faults, policy

BOX_1, BOX_2 = "0x" + "11" * 20, "0x" + "22" * 20
VENUE = "0x" + "33" * 20
USDC_1 = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
USDC_2 = "0xaf88d065e77c8cc2239327c5edb3a432268e5831"
HASH = "0x" + "ee" * 32


def test_parse_policy__the_sample__names_every_column_of_the_contract() -> None:
    columns = [question.column for question in policy().questions]

    assert columns == [
        f"eip155:1/lockbox:{BOX_1}/eip155:1/slip44:60",
        f"eip155:1/lockbox:{BOX_1}/eip155:1/erc20:{USDC_1}",
        f"eip155:42161/lockbox:{BOX_2}/eip155:42161/slip44:60",
        f"eip155:42161/lockbox:{BOX_2}/eip155:42161/erc20:{USDC_2}",
        "eip155:42161/native",
        f"eip155:42161/erc20:{USDC_2}",
        f"eip155:42161/perp_venue:{VENUE}/0x{b'ETH-PERP'.hex()}{'00' * 24}",
        "eip155:42161/chainlink:0x639fe6ab55c921f74e7fac1ee960c0b6293ba612",
        "eip155:42161/chainlink:0x50834f3163758fcc1df9973b6e91f0f0f0434ad3",
    ]
    assert [question.name for question in policy().lists] == [
        f"eip155:1/lockbox:{BOX_1}",
        f"eip155:42161/lockbox:{BOX_2}",
        f"eip155:42161/perp_venue:{VENUE}",
    ]


def test_parse_policy__the_sample__binds_each_column_to_exactly_one_source() -> None:
    rules = policy().rules
    sources = [source.column for source in (*rules.collateral, *rules.positions, *rules.prices)]

    assert sorted(sources) == sorted(question.column for question in policy().questions)
    assert len(set(sources)) == len(sources)


def test_parse_policy__the_sample__makes_questions_that_the_readers_accept() -> None:
    account = (AccountId(bytes(12) + bytes.fromhex("55" * 20)),)

    assert [column_of(question, account).name for question in policy().questions] == [
        question.column for question in policy().questions
    ]
    assert [list_of(question).name for question in policy().lists] == [question.name for question in policy().lists]


def test_parse_policy__the_sample__carries_money_and_time_exactly() -> None:
    given = policy()

    assert (given.frame_s, given.deadline_s, given.lifetime_s, given.skew_s_max) == (60, 20, 1800, 1200)
    assert given.rules.dust_usd == 10**18
    assert [(band.up_to_usd, band.level) for band in given.rules.assurance] == [
        (1000 * 10**18, Assurance.RPC_QUORUM),
        (None, Assurance.STATE_PROOF),
    ]
    assert (given.rules.status.warning_ppm, given.rules.status.margin_call_ppm) == (1_200_000, 1_050_000)
    assert dict(given.rules.encumbrance_ppm)[Encumbrance.PROTOCOL_LOCKED] == 900_000
    assert [(chain.finality.kind, chain.finality.confirmations) for chain in given.chains] == [
        (Finality.SAFE, 0),
        (Finality.CONFIRMATIONS, 20),
    ]
    assert given.domain.chain_number == 42161


def test_parse_policy__sources__say_who_holds_the_asset() -> None:
    locks, native = policy().rules.collateral[:4], policy().rules.collateral[4]

    assert {source.kind for source in locks} == {LegKind.LOCK}
    assert [source.holder for source in locks] == [bytes.fromhex("11" * 20)] * 2 + [bytes.fromhex("22" * 20)] * 2
    assert [source.bridge_haircut_ppm for source in locks] == [0, 0, 5000, 5000]
    assert (native.kind, native.encumbrance, native.holder) == (LegKind.BALANCE, Encumbrance.FREE, None)


def test_parse_policy__venue_id__is_the_hash_of_chain_and_address() -> None:
    from Crypto.Hash import keccak

    encoded = (42161).to_bytes(32, "big") + bytes(12) + bytes.fromhex("33" * 20)

    assert policy().venue.venue_id == keccak.new(digest_bits=256, data=encoded).digest()


@pytest.mark.parametrize(
    ("path", "value", "key", "words"),
    [
        ("surprise", 1, "surprise", "unknown key"),
        ("status.grace", 1, "status.grace", "unknown key"),
        ("frame_s", "60", "frame_s", "expected a valid integer, got a string"),
        ("frame_s", True, "frame_s", "expected a valid integer, got a boolean"),
        ("frame_s", 0, "frame_s", "greater than or equal to 1"),
        ("frame_s", None, "frame_s", "missing"),
        ("dust_usd", 1, "dust_usd", "expected a valid string, got an integer"),
        ("dust_usd", "1e3", "dust_usd", "not a plain decimal string"),
        ("dust_usd", "-1", "dust_usd", "below 0"),
        ("dust_usd", "0.0000000000000000001", "dust_usd", "more than 18 fraction digits"),
        ("rule_set", "cross_perp@2", "rule_set", "unknown rule set"),
        ("chain.0.finality", "instant", "chain[0].finality", "unknown finality"),
        ("chain.0.finality", {"confirmations": 0}, "chain[0].finality.confirmations", "greater than or equal to 1"),
        ("chain.0.id", "eip155:01", "chain[0].id", "not a CAIP-2 chain id"),
        ("chain.0.bridge_haircut_ppm", 1_000_001, "chain[0].bridge_haircut_ppm", "less than or equal to 1000000"),
        ("venue.address", "0x1234", "venue.address", "expected 20 bytes"),
        ("venue.address", "0x" + "00" * 20, "venue.address", "the zero address"),
        ("venue.market.0.id", "0x12", "venue.market[0].id", "expected 32 bytes"),
        ("venue.storage.markets_base", -1, "venue.storage.markets_base", "not a storage slot"),
        ("signers.addresses", [], "signers.addresses", "at least 1 item"),
        ("asset.0.places.0.id", "eip155:1/erc721:0x12", "asset[0].places[0].id", "not a CAIP-19 asset"),
        ("asset.0.places.0.decimals", 78, "asset[0].places[0].decimals", "less than or equal to 77"),
        ("price.0.heartbeat_s", 0, "price[0].heartbeat_s", "greater than or equal to 1"),
        ("name", "Acme Perps", "name", "not a name"),
        ("name", "FILL_IN_NAME", "name", "still the placeholder"),
    ],
)
def test_parse_policy__one_bad_value__is_named_by_key(path: str, value: Any, key: str, words: str) -> None:
    found = faults(changed(POLICY_TEXT, path, value))

    assert [(at, words in problem) for at, problem in found] == [(key, True)], found


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        # slowest: eip155:1, lag 24 + safe 768 + deadline 20 + 2 x 60 = 932
        ("lifetime_s", 932, "lifetime_s"),
        ("providers.configured_min", 2, "providers.configured_min"),
        ("providers.operators_min", 1, "providers.operators_min"),
        ("providers.operators_min", 4, "providers.operators_min"),
        ("assurance", [{"up_to_usd": "1000", "level": 1}], "assurance[0].up_to_usd"),
        ("assurance", [{"level": 1}, {"level": 2}], "assurance[0].up_to_usd"),
        ("assurance", [{"up_to_usd": "0", "level": 1}, {"level": 2}], "assurance[0].up_to_usd"),
        ("assurance", [{"level": 3}], "assurance[0].level"),
        ("assurance", [{"up_to_usd": "1000", "level": 2}, {"level": 1}], "assurance"),
        ("assurance", [{"up_to_usd": "9", "level": 1}, {"up_to_usd": "9", "level": 1}, {"level": 1}], "assurance"),
        ("status.warning", "1.04", "status.warning"),
        ("status.clear", "1", "status.clear"),
        ("encumbrance.escrowed", "0.8", "encumbrance"),
        ("encumbrance.escrowed", "1.000001", "encumbrance.escrowed"),
        ("chain.1.id", "eip155:1", "chain[1].id"),
        ("chain.0.devnet", True, "chain[0].devnet"),
        ("asset.1.symbol", "ETH", "asset[1].symbol"),
        ("asset.0.places.0.id", "eip155:10/slip44:60", "asset[0].places[0].id"),
        ("asset.1.places.0.id", f"eip155:42161/erc20:{USDC_2}", "asset[1].places[1].id"),
        ("asset.1.places.0.id", "eip155:1/slip44:966", "asset[1].places[0].id"),
        ("asset.0.haircut_initial_ppm", 49_999, "asset[0].haircut_initial_ppm"),
        ("price.0.asset", "DOGE", "price[0].asset"),
        ("price.0.kind", "pyth", "price[0].kind"),
        ("price.0.chain", "eip155:10", "price[0].chain"),
        ("price.1.address", "0x639fe6ab55c921f74e7fac1ee960c0b6293ba612", "price[1].address"),
        ("price.0.storage", {"base": 0}, "price[0].code_hash"),
        ("source.0.kind", "aave_v3", "source[0].kind"),
        ("source.0.encumbrance", "free", "source[0].encumbrance"),
        ("source.2.encumbrance", "escrowed", "source[2].encumbrance"),
        ("source.0.code_hash", None, "source[0].code_hash"),
        ("source.0.address", None, "source[0].address"),
        ("source.2.address", USDC_2, "source[2].address"),
        ("source.2.chain", "eip155:1", "source[2].chain"),
        ("source.3.address", USDC_1, "source[3].address"),
        ("source.3.storage", {"base": 9}, "source[3].code_hash"),
        ("source.0.storage", {"base": 9}, "source[0].storage"),
        ("source.1.chain", "eip155:10", "source[1].chain"),
        ("venue.code_hash", None, "venue.code_hash"),
        ("venue.market.0.initial_margin_ppm", 49_999, "venue.market[0].initial_margin_ppm"),
        ("venue.market.0.symbol", "SOL", "price"),
        ("signers.k", 2, "signers"),
        ("signers.f", 1, "signers"),
    ],
)
def test_parse_policy__one_broken_rule__is_named_by_key(path: str, value: Any, key: str) -> None:
    found = faults(changed(POLICY_TEXT, path, value))

    assert key in [at for at, _ in found], found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lifetime_s", 933),
        ("status.margin_call", "1.20"),
        ("status.clear", "1.000001"),
        ("asset.0.haircut_initial_ppm", 50_000),
        ("venue.storage", {"markets_base": "0x" + "ff" * 32, "positions_base": 10, "accounts_base": 6}),
        ("source.3.address", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"),
        ("encumbrance", {"escrowed": "1", "protocol_locked": "0.5", "approved": "0.5", "free": "0.5"}),
    ],
)
def test_parse_policy__the_accepted_neighbour_of_a_rule__passes(path: str, value: Any) -> None:
    assert faults(changed(POLICY_TEXT, path, value)) == []


def test_parse_policy__several_faults__are_all_named_in_one_line_each() -> None:
    text = changed(changed(POLICY_TEXT, "frame_s", "60"), "surprise", 1)

    with pytest.raises(ConfigError) as caught:
        parse_policy(text, "acme.toml")

    assert len(caught.value.lines) == 2
    assert all(line.startswith("acme.toml: ") and "\n" not in line for line in caught.value.lines)
    assert str(caught.value).endswith("(and 1 more)")


@pytest.mark.parametrize("value", ["1.5", "1e3", "inf", "nan", "-0.0"])
def test_parse_policy__a_float__is_refused_by_key(value: str) -> None:
    text = POLICY_TEXT.replace("lag_s = 24", f"lag_s = {value}")

    assert faults(text) == [("chain[0].lag_s", "floats are refused")]


def test_parse_policy__a_date__is_refused_by_key() -> None:
    assert faults(POLICY_TEXT.replace('name = "acme-perps"', "name = 2026-01-01")) == [("name", "a date is refused")]


def test_parse_policy__an_integer_beyond_json__is_refused() -> None:
    text = POLICY_TEXT.replace("release_delay_s = 7200", f"release_delay_s = {2**53}", 1)

    assert faults(text) == [("source[0].release_delay_s", "the integer is beyond 2^53 - 1")]


@pytest.mark.parametrize("text", ["frame_s = 60\nframe_s = 61\n", "frame_s = \n", "[" * 3000, "a = " + "[" * 3000])
def test_parse_policy__no_toml__is_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_policy(text)

    assert "not TOML" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parse_policy__wrong_checksum__is_refused() -> None:
    text = POLICY_TEXT.replace(
        "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "0xa0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
    )

    assert "checksum" in faults(text)[0][1]


def test_parse_policy__devnet_beside_a_real_network__is_refused() -> None:
    chain = {"id": "eip155:31337001", "lag_s": 1, "finality": "safe", "bridge_haircut_ppm": 0, "devnet": True}

    assert ("chain", "devnets and real networks in one policy") in faults(changed(POLICY_TEXT, "chain.2", chain))


def test_parse_policy__devnet_number_without_the_mark__is_refused() -> None:
    found = faults(POLICY_TEXT.replace('id = "eip155:1"', 'id = "eip155:31337001"'))

    assert ("chain[0].devnet", "eip155:31337001 is a devnet id") in found


def test_parse_policy__a_devnet_alone__may_have_one_provider_and_no_code_pins() -> None:
    text = POLICY_TEXT.replace("eip155:42161", "eip155:31337002").replace("eip155:1/", "eip155:31337001/")
    text = text.replace('"eip155:1"', '"eip155:31337001"').replace(
        "bridge_haircut_ppm", "devnet = true\nbridge_haircut_ppm"
    )
    text = "\n".join(line for line in text.splitlines() if not line.startswith("code_hash"))
    text = text.replace("configured_min = 3, operators_min = 2", "configured_min = 1, operators_min = 1")

    assert faults(text) == []
    assert parse_policy(text).has_devnet


def test_load_policy__no_file_or_not_utf8_or_too_large__says_so(tmp_path: Any) -> None:
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    (tmp_path / "large.toml").write_bytes(b"#" * (1 << 20 | 1))

    for name, words in (("none.toml", "no such file"), ("latin.toml", "not UTF-8"), ("large.toml", "at most 1048576")):
        with pytest.raises(ConfigError, match=words):
            load_policy(tmp_path / name)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(tmp_path)


# n, k, f and whether 2k - n > f and k <= n - f hold, by hand (attestation document, section 3)
@pytest.mark.parametrize(
    ("n", "k", "f", "is_sound"),
    [
        (1, 1, 0, True),
        (4, 3, 1, True),
        (7, 5, 2, True),
        (19, 13, 6, True),
        (3, 2, 0, True),
        (5, 3, 0, True),
        (3, 2, 1, False),
        (5, 3, 1, False),
        (4, 2, 0, False),
        (4, 4, 1, False),
        (1, 1, 1, False),
    ],
)
def test_signer_set_problem__table__is_that_of_the_contract(n: int, k: int, f: int, is_sound: bool) -> None:
    assert (signer_set_problem(n, k, f) == "") is is_sound


def test_collateral_kinds__all_readers__have_one_truthful_encumbrance() -> None:
    assert set(COLLATERAL_ENCUMBRANCE) == set(COLLATERAL)


def test_notes_on__columns_without_a_layout_under_a_demanding_band__are_told() -> None:
    notes = notes_on(policy())

    assert sum("cannot be proven" in note for note in notes) == 4
    assert any("lags differ" in note for note in notes)


@pytest.mark.parametrize(("delay_s", "is_refused"), [(2_671, True), (2_672, False), (None, True)])
def test_th_077_release_delay__against_all_that_counted_the_lock__is_checked_to_the_second(
    delay_s: int | None, is_refused: bool
) -> None:
    # lifetime 1800 + lag 24 + safe 768 + deadline 20 + frame 60 of eip155:1
    stated = "" if delay_s is None else f"release_delay_s = {delay_s}"
    text = POLICY_TEXT.replace("release_delay_s = 7200", stated, 1)

    if not is_refused:
        parse_policy(text)
        return
    with pytest.raises(ConfigError) as caught:
        parse_policy(text)

    assert [fault.key for fault in caught.value.faults] == ["source[0].release_delay_s"]
