"""Reading .npy and .npz: NumPy's own files are read, everything else is refused, within limits."""

from __future__ import annotations

import contextlib
import io
import pickle
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkwm.data.arrays import read_arrays, read_npy, read_npz
from zkwm_protocols.errors import CouldNotCheck, Malformed


def npy(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(*, compressed: bool = False, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def archive(*members: tuple[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as made:
        for name, data in members:
            made.writestr(name, data)
    return file.getvalue()


ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("dtype", ["u1", "<i8", ">i4", "<f4", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_comes_back(dtype: str, order: str) -> None:
    array = np.asarray(ARRAY.astype(dtype), order=order)
    back = read_npy(npy(array), "x.npy")
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


@pytest.mark.parametrize("compressed", [False, True])
def test_archive_comes_back_without_its_texts(compressed: bool) -> None:
    data = npz(compressed=compressed, x=ARRAY, y=np.arange(3), names=np.array(["a", "bc"]))
    back = read_npz(data, "x.npz")
    assert sorted(back) == ["x", "y"]
    assert np.array_equal(back["x"], ARRAY)


def test_both_kinds_are_known_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(npy(ARRAY))
    (tmp_path / "b").write_bytes(npz(x=ARRAY))
    assert np.array_equal(read_arrays(tmp_path / "a")[""], ARRAY)
    assert np.array_equal(read_arrays(tmp_path / "b")["x"], ARRAY)


class Trap:
    """Unpickling this would fail the test."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    objects = npy(np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(Malformed, match="object, not numbers"):
        read_npy(objects, "x.npy")
    with pytest.raises(Malformed, match="object, not numbers"):
        read_npz(archive(("x.npy", objects)), "x.npz")
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(Malformed):
        read_arrays(tmp_path / "bare.npz")


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 4), }\n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': 4, }\n",
        "{'descr': '|u1', 'fortran_order': False}\n",
        "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (4,), }\n",
        "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (4,), }\n",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (4,), }\n",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 4), }\n",
        "__import__('os').abort()\n",
        "(" * 5000 + "\n",
        "\n",
    ],
)
def test_odd_headers_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read_npy(header(text) + bytes(3), "x.npy")


@pytest.mark.parametrize("text", ["{}" + " " * 9_000 + "!", "{" + "\t" * 9_000 + "!}"])
def test_headers_that_numpy_would_repair_for_long_are_refused_at_once(text: str) -> None:
    """9,000 spaces cost NumPy's repair of headers 17 seconds, and an archive has 64 members."""
    started = time.process_time()
    with pytest.raises(Malformed):
        read_npy(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode(), "x.npy")
    assert time.process_time() - started < 2


def test_claim_of_a_huge_array_is_refused_before_memory_is_taken() -> None:
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (9000000000000, 9), }\n"
    with pytest.raises(Malformed, match="would take 81000000000000 bytes"):
        read_npy(header(text) + bytes(10), "x.npy")


def test_archive_that_unpacks_to_too_much_is_refused() -> None:
    data = npz(compressed=True, x=np.zeros(10_000_000, np.uint8))
    assert len(data) < 20_000
    with pytest.raises(Malformed, match="at most 1000000 are read"):
        read_npz(data, "bomb.npz", limit=1_000_000)
    parts = {f"x{i}": np.zeros(400_000, np.uint8) for i in range(3)}
    with pytest.raises(Malformed, match="would take 400000 bytes"):
        read_npz(npz(compressed=True, **parts), "bomb.npz", limit=1_000_000)


def test_member_that_lies_about_its_size_is_refused() -> None:
    grown = npy(np.zeros(1000, np.uint8)) + bytes(10_000_000)
    with pytest.raises(Malformed, match="more or less data"):
        read_npz(archive(("x.npy", grown), packing=zipfile.ZIP_DEFLATED), "x.npz")


@pytest.mark.parametrize(
    "data",
    [
        archive(("x.txt", b"hello")),
        archive(*((f"x{i}.npy", npy(ARRAY)) for i in range(65))),
        archive(("x.npy", npy(ARRAY)), packing=zipfile.ZIP_LZMA),
        archive(("x.npy", npy(ARRAY)), packing=zipfile.ZIP_BZIP2),
        archive(("x.npy", b"")),
        b"PK\x05\x06",
        b"",
        b"not an archive",
    ],
)
def test_odd_archives_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_npz(data, "x.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_repeated_member_is_refused() -> None:
    with pytest.raises(Malformed, match=r"has a member 'x\.npy'"):
        read_npz(archive(("x.npy", npy(ARRAY)), ("x.npy", npy(ARRAY + 1))), "x.npz")


def test_truncated_file_is_refused() -> None:
    for data in (npy(ARRAY), npz(x=ARRAY)):
        reader = read_npy if data[:1] == b"\x93" else read_npz
        for length in range(len(data)):
            with pytest.raises(Malformed):
                reader(data[:length], "x")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_flipped_bits_give_arrays_or_malformed(data: st.DataObject) -> None:
    whole = bytearray(npz(compressed=True, x=ARRAY, y=np.arange(5)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(Malformed):
        read_npz(bytes(whole), "x.npz")


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_behind_the_magic_are_malformed_or_an_array(tail: bytes) -> None:
    with contextlib.suppress(Malformed):
        read_npy(b"\x93NUMPY" + tail, "x.npy")


def test_missing_and_too_large_files(tmp_path: Path) -> None:
    with pytest.raises(CouldNotCheck, match="cannot read"):
        read_arrays(tmp_path / "none.npz")
    (tmp_path / "x.npz").write_bytes(npz(x=ARRAY))
    with pytest.raises(Malformed, match="larger than"):
        read_arrays(tmp_path / "x.npz", limit=100)


@pytest.mark.parametrize(
    "shape", ["(1,)*65", str((1,) * 65), "(True,)", "(0, 9223372036854775807)"]
)
def test_shapes_that_numpy_would_not_take_are_malformed(shape: str) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with pytest.raises(Malformed):
        read_npy(data + bytes(1), "x")
    with pytest.raises(Malformed):
        read_npy(data, "x")


def test_zeros_that_unpack_to_a_gigabyte_are_refused() -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, x=np.zeros(96 << 20, np.uint8))
    assert len(packed.getvalue()) < 1 << 20
    with pytest.raises(Malformed):
        read_npz(packed.getvalue(), "x")
