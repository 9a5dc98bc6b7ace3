"""The page of ONNX operators is what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    script = runpy.run_path(str(DOCS / "onnx_operators.py"))
    written = (DOCS / "onnx-operators.md").read_text(encoding="utf-8")
    assert written == script["page"](), "run python docs/onnx_operators.py"
