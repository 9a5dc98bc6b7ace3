"""The page of JSON outputs is what the schemas say."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    script = runpy.run_path(str(DOCS / "json_outputs.py"))
    written = (DOCS / "json-outputs.md").read_text(encoding="utf-8")
    assert written == script["page"](), "run python docs/json_outputs.py"
