"""Normalise, then hash: what advertisers match people by, by each vendor's own rules, once per distinct value.

A value that a rule cannot make sense of becomes nothing, so that a row may be left out with a reason here where the
vendor would only count it. A text that is a SHA-256 already is taken as one.
"""

import re
from collections.abc import Callable
from hashlib import sha256

import polars as pl

Rule = Callable[[str], str | None]

HASHED = re.compile(r"[0-9a-fA-F]{64}")
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
GMAIL = ("gmail.com", "googlemail.com")


def hash_column(values: pl.Series, rule: Rule) -> pl.Series:
    """Normalise and hash each value; null where the rule gives nothing."""
    return _each(values, lambda value: hash_value(value, rule))


def normalise_column(values: pl.Series, rule: Rule) -> pl.Series:
    """Normalise each value and leave it readable; null where the rule gives nothing."""
    return _each(values, lambda value: rule(value) or None)


def hash_value(value: str, rule: Rule) -> str | None:
    """Give the lower-case hexadecimal SHA-256 of a value as the rule normalises it."""
    if HASHED.fullmatch(value.strip()):
        return value.strip().lower()
    normal = rule(value)
    return sha256(normal.encode()).hexdigest() if normal else None


def email(value: str) -> str | None:
    """Trim and lower; nothing where it is no address."""
    address = value.strip().lower()
    return address if EMAIL.fullmatch(address) else None


def google_email(value: str) -> str | None:
    """As `email`; of Google's own mail the dots before the @ go too, as Google's formatting rules say."""
    address = email(value)
    if address is None:
        return None
    local, _, domain = address.partition("@")
    return f"{local.replace('.', '')}@{domain}" if domain in GMAIL else address


def phone_digits(value: str) -> str | None:
    """Give the digits with the country code, without + and leading zeros (Meta)."""
    digits = re.sub(r"\D", "", value).lstrip("0")
    return digits if 7 <= len(digits) <= 15 else None


def phone_e164(value: str) -> str | None:
    """Give + and the digits (Google); nothing where the country code is missing, which a + or 00 would show."""
    text = value.strip()
    if not text.startswith(("+", "00")):
        return None
    digits = phone_digits(text)
    return f"+{digits}" if digits else None


def name(value: str) -> str:
    """Lower, without punctuation; letters of every script stay (Meta)."""
    return re.sub(r"[^\w\s]|_", "", value).strip().lower()


def trimmed(value: str) -> str:
    """Lower and trim (Google's names)."""
    return value.strip().lower()


def initial(value: str) -> str:
    """Give the first letter of a name."""
    return name(value)[:1]


def place(value: str) -> str:
    """Lower, without spaces and punctuation: a city or a state (Meta)."""
    return re.sub(r"[\W_]", "", value).lower()


def gender(value: str) -> str | None:
    """Give m or f."""
    letter = value.strip().lower()[:1]
    return letter if letter in ("m", "f") else None


def postal_code(value: str) -> str:
    """Lower, without spaces, the part before the dash (Meta)."""
    return re.sub(r"\s", "", value).lower().split("-")[0]


def country(value: str) -> str | None:
    """Give the two letters of ISO 3166, lower."""
    code = value.strip().lower()
    return code if re.fullmatch(r"[a-z]{2}", code) else None


def padded(length: int) -> Rule:
    """Give a rule for numbers of a date: so many digits, with leading zeros."""
    return lambda value: value.strip().zfill(length) if value.strip().isdigit() else None


def as_is(value: str) -> str:
    """Change nothing."""
    return value


def _each(values: pl.Series, change: Callable[[str], str | None]) -> pl.Series:
    known = {value: change(str(value)) for value in values.unique().drop_nulls().to_list()}
    return pl.Series(values.name, [known.get(value) for value in values.to_list()], dtype=pl.String)
