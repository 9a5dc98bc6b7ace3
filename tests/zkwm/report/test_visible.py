"""Foreign text cannot hide anything, and words for odds never promise more than the bits."""

from __future__ import annotations

import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkwm.report.visible import by_luck, count, groups, odds, utc, visible, visible_name


@given(st.text(st.characters(), max_size=80))
def test_visible_text_is_printable_and_keeps_harmless_text(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    if text.isascii() and text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("safe\u202egpj.exe", "safe[U+202E]gpj.exe"),
        ("\u2066a\u2069", "[U+2066]a[U+2069]"),
        ("two\nlines\x1b[31m", "two[U+000A]lines[U+001B][31m"),
        ("zero\u200bwidth\ufeff", "zero[U+200B]width[U+FEFF]"),
        ("\ud800", "[U+D800]"),
        ("cat\u3164", "cat[U+3164]"),
        ("c\u034fa\u115ft\ufe0f", "c[U+034F]a[U+115F]t[U+FE0F]"),
        ("cat\U000e0100\u2800", "cat[U+E0100][U+2800]"),
        (
            "\ud55c \u0e17\u0e35\u0e48 \u0915\u094d\u0937",
            "\ud55c \u0e17\u0e35\u0e48 \u0915\u094d\u0937",
        ),
        ("a" + "\u0301" * 4, "a\u0301\u0301[U+0301][U+0301]"),
        ("Z\u00fcrich \u6771\u4eac \u05d0", "Z\u00fcrich \u6771\u4eac \u05d0"),
    ],
)
def test_hidden_characters_are_shown_as_code_points(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_names_that_differ_in_spaces_alone_differ() -> None:
    assert visible_name("big cat") == "big cat"
    assert visible_name("big" + " " * 7 + "cat") == "big [7 spaces] cat"
    assert visible_name("x" * 200).startswith("x" * 100 + " … [cut")


def test_long_text_is_cut_and_says_so() -> None:
    assert visible("x" * 5_000, 10) == "x" * 10 + " … [cut: 5,000 characters in all]"


def test_digests_in_groups_and_fingerprints_whole() -> None:
    assert groups("ab" * 32) == ("abababab",) * 8
    assert groups("abcd-efgh") == ("abcd-efgh",)


def test_times_in_utc_and_beyond_the_calendar() -> None:
    assert utc(0) == "1970-01-01 00:00:00 UTC"
    assert utc(2**40) == "1,099,511,627,776 seconds after 1970"


@pytest.mark.parametrize(
    ("hundredths", "words"),
    [
        (1, "1 in 1"),
        (1000, "1 in 1,024"),
        (1999, "1 in 1,041,332"),
        (2000, "1 in 1 million"),
        (3000, "1 in 1 billion"),
        (4000, "1 in 1 trillion"),
        (8427, "1 in 10²⁵"),
        (100_000, "1 in 10³⁰¹"),
        (3_000_000, "1 in 10⁹⁰³⁰"),
    ],
)
def test_odds_in_words(hundredths: int, words: str) -> None:
    assert odds(hundredths) == words


@given(st.integers(1, 60))
def test_odds_never_promise_more_than_the_bits(bits: int) -> None:
    words = odds(100 * bits).removeprefix("1 in ")
    number, _, unit = words.partition(" ")
    if number.startswith("10") and not number.isascii():
        claimed = 10 ** int(unicodedata.normalize("NFKC", number[2:]))
    else:
        factors = {"": 1, "million": 10**6, "billion": 10**9, "trillion": 10**12}
        claimed = int(number.replace(",", "")) * factors[unit]
    assert Fraction(1, 20) * 2**bits < claimed <= 2**bits


def test_counts_and_luck_in_words() -> None:
    assert (count(1, "match"), count(2, "match")) == ("1 match", "2 matches")
    assert (count(1, "block"), count(1000, "block")) == ("1 block", "1,000 blocks")
    assert (by_luck(50, 10), by_luck(1, 65_535)) == ("about 5.0", "less than 0.1")
