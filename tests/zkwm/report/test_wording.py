"""The fixed sentences on an outcome."""

from __future__ import annotations

from dataclasses import replace

from tests.zkwm.report.conftest import argued
from zkwm.judge.verdict import CheckedBy, Outcome
from zkwm.report.wording import meaning


def test_who_checked_vouches_for_nothing_that_was_not_checked() -> None:
    public = replace(argued(), checked_by=CheckedBy.PUBLIC)
    assert "checked by the public" in meaning(public)
    assert "checked by the public" not in meaning(replace(public, outcome=Outcome.COULD_NOT_CHECK))
