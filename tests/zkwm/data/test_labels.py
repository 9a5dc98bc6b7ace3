"""Reading labels: every form, and every refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zkwm.data.images import load_labels
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError


def test_labels_in_every_form(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("7\n0\n65534\n")
    (tmp_path / "b.txt").write_text("7.000000000000000000e+00\r\n0.\r\n6.5534e4")
    np.save(tmp_path / "c.npy", np.array([7, 0, 65534]))
    np.savez(
        tmp_path / "d.npz", x=np.zeros((3, 9, 7), np.uint8), y=np.array([7, 0, 65534], np.uint16)
    )
    for name in ("a.txt", "b.txt", "c.npy", "d.npz"):
        labels = load_labels(tmp_path / name, 3)
        assert labels.dtype == np.int64
        assert labels.tolist() == [7, 0, 65534]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\ntwo\n3\n", "line 2 of .* is not a label: 'two'"),
        ("1\n2.5\n3\n", "line 2"),
        ("1\n\n3\n", "line 2"),
        ("1\nnan\n3\n", "line 2"),
        ("1\ninf\n3\n", "line 2"),
        ("1\n-2\n3\n", "line 2"),
        ("1\n1_0\n3\n", "line 2"),
        ("1\n65535\n3\n", "line 2"),
        ("1\n1e99\n3\n", "line 2"),
        ("1 2\n3\n4\n", "line 1"),
        ("1\n2\n", "has 2 labels for 3 images"),
        ("1\n2\n3\n4\n", "has 4 labels for 3 images"),
        ("", "has 0 labels for 3 images"),
    ],
)
def test_text_that_is_no_list_of_labels(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_labels(tmp_path / "a.txt", 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([1.0, 2.0, np.nan]), "not a list of labels"),
        (np.array([[1], [2], [3]]), "not a list of labels"),
        (np.array([1, 2, -3]), "label 2 in .* is -3"),
        (np.array([1, 65535, 3]), "label 1 in .* is 65535"),
        (np.array([1, 2]), "has 2 labels"),
        (np.arange(9), "has 9 labels"),
    ],
)
def test_arrays_that_are_no_labels(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UsageError, match=message):
        load_labels(tmp_path / "a.npy", 3)


def test_binary_and_missing_label_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe1\n")
    with pytest.raises(Malformed, match="not a text file"):
        load_labels(tmp_path / "a.txt", 1)
    with pytest.raises(CouldNotCheck, match="cannot read"):
        load_labels(tmp_path / "none.txt", 1)
