"""Reading pictures: every form, every refusal, and the trigger set of Adi et al."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zkwm.data import images as module
from zkwm.data.images import load_images, load_labels
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError, ZkwmError

RNG = np.random.default_rng(5)
GRAY = RNG.integers(0, 256, (4, 9, 7), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (4, 9, 7, 3), dtype=np.uint8)


def save_folder(folder: Path, pixels: np.ndarray, names: list[str]) -> Path:
    folder.mkdir()
    for name, array in zip(names, pixels, strict=True):
        Image.fromarray(array).save(folder / name)
    return folder


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GRAY, GRAY[:, None]),
        (GRAY[:, None], GRAY[:, None]),
        (GRAY[..., None], GRAY[:, None]),
        (COLOR, COLOR.transpose(0, 3, 1, 2)),
        (COLOR.transpose(0, 3, 1, 2), COLOR.transpose(0, 3, 1, 2)),
    ],
)
def test_arrays_in_every_layout(tmp_path: Path, array: np.ndarray, expected: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", anything=array)
    np.savez(tmp_path / "b.npz", y=np.arange(4), x_crop=array)
    for name in ("a.npy", "a.npz", "b.npz"):
        assert np.array_equal(load_images(tmp_path / name), expected)


def test_named_array_is_chosen_in_the_documented_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_resize=GRAY, x=GRAY[:2], images=GRAY[1:2])
    assert len(load_images(tmp_path / "a.npz")) == 1


def test_archive_without_a_known_name_is_refused_with_its_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", first=GRAY, second=GRAY)
    with pytest.raises(UsageError, match="holds first, second, and none is named images"):
        load_images(tmp_path / "a.npz")


def test_ambiguous_layout_needs_the_shape(tmp_path: Path) -> None:
    array = RNG.integers(0, 256, (5, 3, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UsageError, match="channels first or last"):
        load_images(tmp_path / "a.npy")
    assert np.array_equal(load_images(tmp_path / "a.npy", shape=(3, 8, 3)), array)
    other = load_images(tmp_path / "a.npy", shape=(3, 3, 8))
    assert np.array_equal(other, array.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((2, 5, 5), np.nan, np.float32), "holds float32; pixels are uint8"),
        (GRAY.astype(np.int64), "holds int64; pixels are uint8"),
        (GRAY[0], "these are not images"),
        (GRAY[None, None], "these are not images"),
        (GRAY[:0], "these are not images"),
        (RNG.integers(0, 256, (2, 5, 5, 4), dtype=np.uint8), "these are not images"),
    ],
)
def test_arrays_that_are_no_images(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UsageError, match=message) as caught:
        load_images(tmp_path / "a.npy")
    assert "a.npy" in caught.value.message


def test_folder_is_read_in_string_order_of_names(tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "f", GRAY, ["10.png", "2.png", "1.png", "9.png"])
    (folder / ".hidden").write_text("not looked at")
    expected = GRAY[[2, 0, 1, 3]][:, None]  # 1, 10, 2, 9
    assert np.array_equal(load_images(folder), expected)


def test_single_image_file(tmp_path: Path) -> None:
    Image.fromarray(COLOR[0]).save(tmp_path / "one.bmp")
    expected = COLOR[:1].transpose(0, 3, 1, 2)
    assert np.array_equal(load_images(tmp_path / "one.bmp"), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_common_kind_of_pixels(tmp_path: Path, mode: str) -> None:
    name = "a.jpg" if mode == "CMYK" else "a.png"
    made = Image.fromarray(COLOR[0]).convert(mode)
    made.save(tmp_path / name)
    stored = Image.open(tmp_path / name)
    gray = mode in ("1", "L", "LA")
    assert load_images(tmp_path / name).shape == ((1, 1, 9, 7) if gray else (1, 3, 9, 7))
    as_color = load_images(tmp_path / name, shape=(3, 9, 7))
    assert np.array_equal(as_color[0].transpose(1, 2, 0), np.asarray(stored.convert("RGB")))
    as_grey = load_images(tmp_path / name, shape=(1, 9, 7))
    assert np.array_equal(as_grey[0, 0], np.asarray(stored.convert("L")))


def test_arrays_change_channels_as_pillow_does(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", COLOR)
    np.save(tmp_path / "g.npy", GRAY)
    expected = [np.asarray(Image.fromarray(pixels).convert("L")) for pixels in COLOR]
    assert np.array_equal(load_images(tmp_path / "c.npy", shape=(1, 9, 7))[:, 0], expected)
    grown = load_images(tmp_path / "g.npy", shape=(3, 9, 7))
    assert all(np.array_equal(grown[:, channel], GRAY) for channel in range(3))


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 60000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UsageError, match=r"deep.png has pixels of the kind I;16"):
        load_images(tmp_path / "deep.png")


def test_other_size_is_refused_with_the_choices(tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "f", GRAY, ["a.png", "b.png", "c.png", "d.png"])
    Image.fromarray(GRAY[0][:5]).save(folder / "c.png")
    with pytest.raises(UsageError, match=r"c.png is 5 by 7 pixels, not 9 by 7") as caught:
        load_images(folder)
    assert "crop" in caught.value.hint
    assert "resize" in caught.value.hint


@pytest.mark.parametrize(("height", "width"), [(9, 7), (5, 3), (4, 4), (9, 2), (1, 1)])
def test_crop_takes_the_middle_of_files_and_arrays(tmp_path: Path, height: int, width: int) -> None:
    np.save(tmp_path / "a.npy", COLOR)
    folder = save_folder(tmp_path / "f", COLOR, ["a.png", "b.png", "c.png", "d.png"])
    top, left = round((9 - height) / 2), round((7 - width) / 2)
    middle = COLOR[:, top : top + height, left : left + width].transpose(0, 3, 1, 2)
    for path in (tmp_path / "a.npy", folder):
        got = load_images(path, shape=(3, height, width), fit="crop")
        assert np.array_equal(got, middle)


def test_crop_out_of_a_smaller_image_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", COLOR)
    folder = save_folder(tmp_path / "f", COLOR, ["a.png", "b.png", "c.png", "d.png"])
    with pytest.raises(UsageError, match="too small to crop"):
        load_images(folder, shape=(3, 10, 7), fit="crop")
    with pytest.raises(UsageError, match="have the shape"):
        load_images(tmp_path / "a.npy", shape=(3, 10, 7), fit="crop")


def test_resize_scales_files_and_refuses_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", COLOR)
    folder = save_folder(tmp_path / "f", COLOR, ["a.png", "b.png", "c.png", "d.png"])
    assert load_images(folder, shape=(3, 4, 20), fit="resize").shape == (4, 3, 4, 20)
    with pytest.raises(UsageError, match="have the shape"):
        load_images(tmp_path / "a.npy", shape=(3, 4, 20), fit="resize")


def test_unknown_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no fit 'stretch'"):
        load_images(tmp_path, shape=(1, 4, 4), fit="stretch")


def png(data: np.ndarray = COLOR[0]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(data).save(file, "PNG")
    return file.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A few bytes that claim width by height pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8200, 12000, 60000])
def test_decompression_bomb_is_refused(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(huge_png(side, side))
    with pytest.raises(Malformed, match=r"bomb.png (has|claims)"):
        load_images(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        png()[:-30],
        png()[:20],
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"P6 3 3 255\n123",
        b"BM" + bytes(60),
    ],
)
def test_damaged_and_unknown_files_are_malformed(tmp_path: Path, data: bytes) -> None:
    folder = save_folder(tmp_path / "f", GRAY[:1], ["a.png"])
    (folder / "b.png").write_bytes(data)
    with pytest.raises(Malformed, match=r"b.png is not an intact image"):
        load_images(folder)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GIF89a" + bytes(40), "a GIF file"),
        (b"MM\0*" + bytes(40), "a TIFF file"),
        (b"\0\0\0\x18ftypavif" + bytes(40), "an AVIF file"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "a HEIC file"),
        (b"%PDF-1.7" + bytes(40), "a PDF file"),
        (b"\n<svg xmlns=''>" + bytes(40), "an SVG file"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(Malformed) as caught:
        load_images(path)
    assert caught.value.message == f"{path} is {kind}, not an image that is read"
    assert "PNG" in caught.value.hint


def test_the_transparency_of_a_palette_is_dropped_without_a_warning(tmp_path: Path) -> None:
    picture = Image.fromarray(GRAY[0]).convert("P")
    picture.save(tmp_path / "a.png", transparency=bytes([0, 128, 255] * 85))
    assert load_images(tmp_path / "a.png").shape == (1, 3, *GRAY.shape[1:])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_bytes_raise_nothing_but_our_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(png())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flip") / "a.png"
    path.write_bytes(whole)
    with contextlib.suppress(ZkwmError):
        load_images(path)


def test_files_and_counts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_folder(tmp_path / "f", GRAY, ["a.png", "b.png", "c.png", "d.png"])
    monkeypatch.setattr(module, "MAX_FILES", 3)
    with pytest.raises(UsageError, match="holds 4 files; at most 3"):
        load_images(folder)
    monkeypatch.setattr(module, "MAX_FILES", 4)
    monkeypatch.setattr(module, "MAX_BYTES", 4 * 63 - 1)
    with pytest.raises(UsageError, match="4 images of shape"):
        load_images(folder)
    monkeypatch.setattr(module, "MAX_PICTURE_BYTES", 10)
    with pytest.raises(Malformed, match="larger than the 10 bytes"):
        load_images(folder)


def test_empty_folder_folder_inside_and_missing_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no images"):
        load_images(tmp_path)
    (tmp_path / "inside").mkdir()
    with pytest.raises(UsageError, match="inside is a folder"):
        load_images(tmp_path)
    with pytest.raises(CouldNotCheck, match="cannot read"):
        load_images(tmp_path / "none.png")
    with pytest.raises(CouldNotCheck, match="cannot read"):
        load_images(tmp_path / "none.npz")


@pytest.mark.data
def test_the_authors_own_set_reads_as_their_loader_reads_it(data_folder: Path) -> None:
    pictures = data_folder / "trigger-set-adi" / "pics"
    derived = data_folder / "trigger-set-adi-32.npz"
    cropped = load_images(pictures, shape=(3, 32, 32), fit="crop")
    assert np.array_equal(cropped, load_images(derived))
    with np.load(derived, allow_pickle=False) as stored:
        assert np.array_equal(cropped, stored["x_crop"].transpose(0, 3, 1, 2))
        labels = load_labels(data_folder / "trigger-set-adi" / "labels-cifar.txt", 100)
        assert np.array_equal(labels, stored["y"])
    assert np.array_equal(labels, load_labels(derived, 100))
    assert np.bincount(labels).tolist() == [11, 8, 12, 14, 12, 10, 12, 9, 8, 4]
