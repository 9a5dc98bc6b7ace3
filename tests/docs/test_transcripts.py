"""docs/transcripts.md is what its commands print."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tests.docs.pages import ROOT


@pytest.mark.slow
def test_transcripts_are_what_the_commands_print(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("transcripts", ROOT / "docs/transcripts.py")
    assert spec is not None
    assert spec.loader is not None
    transcripts = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, transcripts)  # dataclasses look it up
    spec.loader.exec_module(transcripts)
    written = transcripts.PAGE.read_text(encoding="utf-8")
    assert transcripts.masked(transcripts.page()) == transcripts.masked(written)
