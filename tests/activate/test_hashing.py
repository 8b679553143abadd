"""Values are normalised as each advertiser documents, then hashed; what makes no sense becomes nothing."""

from hashlib import sha256

import polars as pl
import pytest

from catchment.activate import hashing


@pytest.mark.parametrize(
    ("rule", "given", "normal"),
    [
        (hashing.email, " John_Smith@Gmail.com ", "john_smith@gmail.com"),
        (hashing.email, "nobody", None),
        (hashing.google_email, "Jane.Doe@Googlemail.com", "janedoe@googlemail.com"),
        (hashing.google_email, "jane.doe@acme.co", "jane.doe@acme.co"),
        (hashing.phone_digits, "+1 (616) 954-78 88", "16169547888"),
        (hashing.phone_digits, "0049 160 1234567", "491601234567"),
        (hashing.phone_digits, "call me", None),
        (hashing.phone_e164, "+1 800 555-0102", "+18005550102"),
        (hashing.phone_e164, "0044 20 7946 0958", "+442079460958"),
        (hashing.phone_e164, "800 555 0102", None),
        (hashing.name, " Mary-Jane ", "maryjane"),
        (hashing.name, "José", "josé"),
        (hashing.name, "정", "정"),
        (hashing.initial, " mary", "m"),
        (hashing.place, "São Paulo", "sãopaulo"),
        (hashing.place, "New York!", "newyork"),
        (hashing.gender, "Female", "f"),
        (hashing.gender, "x", None),
        (hashing.postal_code, "94035-1234", "94035"),
        (hashing.postal_code, "M1 1AE", "m11ae"),
        (hashing.country, " US", "us"),
        (hashing.country, "Germany", None),
        (hashing.padded(2), "5", "05"),
        (hashing.padded(4), "May", None),
    ],
)
def test_a_rule_normalises_as_documented(rule: hashing.Rule, given: str, normal: str | None) -> None:
    assert rule(given) == normal


def test_a_documented_address_has_its_documented_hash() -> None:
    known = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"
    assert hashing.hash_value("  John_Smith@gmail.com ", hashing.email) == known
    assert hashing.hash_value(known.upper(), hashing.email) == known


def test_a_column_is_hashed_once_for_each_distinct_value() -> None:
    asked: list[str] = []

    def rule(value: str) -> str | None:
        asked.append(value)
        return hashing.email(value)

    column = hashing.hash_column(pl.Series("e", ["a@b.co", None, "a@b.co", "x"]), rule)
    expected = sha256(b"a@b.co").hexdigest()
    assert column.to_list() == [expected, None, expected, None]
    assert sorted(asked) == ["a@b.co", "x"]
