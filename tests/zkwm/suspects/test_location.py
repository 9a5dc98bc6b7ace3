"""Locations, headers and settings that are refused before anything is opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import save_lookup
from zkwm.suspects import HttpSettings, OnnxLimits, open_suspect
from zkwm.suspects.onnx_suspect import OnnxSuspect
from zkwm_protocols.errors import (
    CouldNotCheck,
    InvalidOpening,
    SuspectUnusable,
    Unsupported,
    UsageError,
)
from zkwm_protocols.suspect_identity import Account

SHAPE = (1, 2, 2)


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.PKL", "pytorch_model.bin", "m.ckpt", "m.npz"])
def test_pickles_are_never_opened(name: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="never opened") as caught:
        open_suspect(tmp_path / name, shape=SHAPE)
    assert "ONNX" in caught.value.hint


@pytest.mark.parametrize("name", ["m.tflite", "m.h5", "m.pt2", "m.ort"])
def test_other_formats_are_unsupported(name: str, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="not supported"):
        open_suspect(tmp_path / name, shape=SHAPE)


def test_unknown_locations(tmp_path: Path) -> None:
    with pytest.raises(SuspectUnusable, match="there is no"):
        open_suspect(tmp_path / "nothing", shape=SHAPE)
    with pytest.raises(SuspectUnusable, match="not a suspect"):
        open_suspect(tmp_path, shape=SHAPE)
    with pytest.raises(CouldNotCheck, match="cannot read"):
        open_suspect(tmp_path / "missing.onnx", shape=SHAPE)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/model",
        "file:///etc/passwd",
        "http://",
        "http://user:secret@host/",
        "https://token@host/",
        "http://host/#part",
        "http://host/a b",
        "http://host:99999/",
        "http://host:0/",
        "http://h\u00f6st/",
        "http://host\\@other/",
        "http://host/\r\nX: y",
        "http://[::1/",
        "https://host/" + "a" * 400,
    ],
)
def test_bad_urls_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_suspect(url, shape=SHAPE, outputs=10)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer s3cret\r\nX-Other: 1"),
        ("Authorization", "s3cret\n"),
        ("Authorization", ""),
        ("Bad Name: s3cret", "x"),
        ("Host", "s3cret"),
        ("content-length", "0"),
        ("s3cret", "x\x7f"),  # typed in the wrong place, as fuzzing found
    ],
)
def test_bad_headers_are_refused_without_their_value(name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_suspect("http://127.0.0.1:1/", shape=SHAPE, outputs=2, headers={name: value})
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_headers_do_not_travel_in_the_clear() -> None:
    with pytest.raises(UsageError, match="plain http"):
        open_suspect("http://example.org/", shape=SHAPE, outputs=2, headers={"X-Key": "abc"})


def test_headers_are_for_endpoints(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="endpoints"):
        open_suspect(tmp_path / "m.onnx", shape=SHAPE, headers={"X-Key": "abc"})


@pytest.mark.parametrize(
    "headers", [{"X-Key": "abc", "x-key": "def"}, {f"X-{n}": "abc" for n in range(65)}]
)
def test_headers_that_no_account_could_hold_are_refused_before_the_endpoint_is_asked(
    headers: dict[str, str],
) -> None:
    with pytest.raises(UsageError, match="headers") as caught:
        open_suspect("http://127.0.0.1:1/", shape=SHAPE, headers=headers)
    assert "abc" not in str(caught.value)


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError):
        HttpSettings(request_seconds=0)
    with pytest.raises(UsageError):
        HttpSettings(requests_per_second=float("nan"))
    with pytest.raises(UsageError):
        HttpSettings(attempts=0)
    with pytest.raises(UsageError):
        HttpSettings(reply_bytes=1)
    with pytest.raises(UsageError):
        OnnxLimits(image_seconds=float("inf"))
    with pytest.raises(UsageError):
        OnnxLimits(memory_bytes=1)


def test_triggers_do_not_travel_in_the_clear() -> None:
    with pytest.raises(UsageError, match="plain http"):
        open_suspect("http://example.org/", shape=SHAPE, outputs=2)


def test_a_suspect_in_a_with_statement_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    monkeypatch.setattr(OnnxSuspect, "close", lambda suspect: closed.append(suspect))
    path = tmp_path / "model.onnx"
    save_lookup(path, np.zeros((2, 1, 16, 16), np.uint8), np.arange(2))
    with (
        pytest.raises(InvalidOpening),
        open_suspect(path, shape=(1, 16, 16)) as suspect,
    ):
        suspect.check_account(Account(("a",), bytes(32), bytes(32)))
    assert closed == [suspect]
    monkeypatch.undo()
    suspect.close()
