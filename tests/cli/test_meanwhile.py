"""What a command imports, and begins, while a key is derived."""

from __future__ import annotations

import sys

from zkwm_cli.meanwhile import imported_meanwhile


def test_what_comes_behind_the_imports() -> None:
    found: list[bool] = []
    with imported_meanwhile("antigravity_of_zkwm", then=lambda: found.append(True)):
        pass
    assert found == []  # a module is missing: whoever imports it gets the error
    with imported_meanwhile("zkwm.early", then=lambda: found.append("zkwm.early" in sys.modules)):
        pass
    assert found == [True]
    with imported_meanwhile(then=lambda: found.append(bool(1 / 0))):
        pass  # nothing that is begun early is an error
    assert found == [True]
