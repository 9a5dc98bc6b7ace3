"""The worked examples of SPEC.md and its chapters have the numbers that the code computes."""

from __future__ import annotations

import re

import numpy as np

from tests.support.spec_pages import ROOT
from zkwm_protocols import ranks
from zkwm_protocols.evidence import Evidence, assess, needed_matches
from zkwm_protocols.policy import Policy


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_sum_of_the_first_example() -> None:
    evidence = assess(
        matches=50, block_size=50, blocks_used=1, block_count=4, class_count=10, policy=Policy()
    )
    printed = re.findall(r"^  [a-z' ]+ +(-?\d+\.\d\d) bits$", text("SPEC.md"), re.MULTILINE)
    assert [float(number) for number in printed[:8]] == [term.bits for term in evidence.terms]
    assert f"{evidence.total_bits:.2f} bits of evidence are left" in text("SPEC.md")


def test_bits_of_the_example_of_an_extracted_mark() -> None:
    def of(matches: int) -> Evidence:
        return assess(
            matches=matches,
            block_size=64,
            blocks_used=2,
            block_count=2,
            class_count=2,
            policy=Policy(),
        )

    assert f"{of(128).total_bits:.2f} bits of evidence are left" in text("spec/11-extraction.md")


def test_fewest_keys_that_prove() -> None:
    """Even without any other allowance than the fixed ones: one block of all keys."""
    found = re.search(r"nothing under (\d+) matching keys", text("spec/11-extraction.md"))
    assert found
    fewest = min(
        needed
        for count in range(60, 140)
        if (
            needed := needed_matches(
                block_size=count, blocks_used=1, block_count=1, class_count=2, policy=Policy()
            )
        )
        is not None
    )
    assert fewest == int(found[1])


def test_example_of_ranks() -> None:
    page = text("spec/05-evidence.md")
    scores = np.array([[9, 5, 1], [9, 1, 5], [9, 3, 3]], np.float64)
    rows = {
        name: re.search(rf"^{name} +(.*)$", page, re.MULTILINE)
        for name in ("scores", "labels", "centered", "ranks", "weights")
    }
    numbers = {
        name: [int(number) for number in re.findall(r"-?\d+", found[1])]
        for name, found in rows.items()
        if found
    }
    assert numbers["scores"] == scores.astype(int).ravel().tolist()
    own = ranks.ranks(scores, numbers["labels"])
    assert numbers["ranks"] == list(own)
    table = ranks.weights(3)
    assert "w = 3, 1, 0" in page
    assert table == (3, 1, 0)
    assert numbers["weights"] == [table[rank] for rank in own]
    middle = scores - np.sort(scores, axis=1)[:, 1:2]
    assert numbers["centered"] == (middle - np.sort(middle, axis=0)[1]).astype(int).ravel().tolist()
