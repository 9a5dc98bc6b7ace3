"""NumPy's files, ZIP archives and pictures: headers and directories changed field by field."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from random import Random

import numpy as np
from PIL import Image

_DTYPES = ["|u1", "<i8", "<f4", ">f8", "|b1", "|O", "<U4", "|S3", "<M8[s]", "<c8", "|V8", "<f16",
           "<i3", "u1", "", "<f2", "[('a', '<i4')]", "|u1,|u1"]  # fmt: skip
_SHAPES = ["()", "(0,)", "(1,)", "(3, 4)", "(-1,)", "(4611686018427387904,)", "(2**40,)", "(1, 0)",
           "(9223372036854775807, 9223372036854775807)", "(True,)", "(1.0,)", "[3]", "(3)",
           "(0, 99999999999999999999)", str((1,) * 40), "None", "('a',)"]  # fmt: skip
_HEADERS = ["{}", "", "{'descr': '|u1'}", "__import__('os')", "[" * 300, "{'descr': [" * 60,
            "{'shape': (1,), 'descr': '|u1', 'fortran_order': False, 'x': 1}"]  # fmt: skip
_NAMES = ["x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy", "images.npy", "labels.npy",
          "a.txt", "../x.npy", "x_train", "x_train_d2.npy", "\u00e9.npy", ".npy"]  # fmt: skip
_NUMBERS = [0, 1, 2, 8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def npy(random: Random) -> bytes:
    """A small array: images, four labels, or whatever."""
    if random.random() < 0.7:
        shape, dtype = random.choice([((4, 4, 4), np.uint8), ((4, 4, 4, 3), np.uint8),
                                      ((4,), np.int64)])  # fmt: skip
    else:
        shape = random.choice([(2, 3, 4, 3), (4, 1), (0,), (), (3, 2, 5, 5), (1, 0, 3)])
        dtype = random.choice([np.uint8, np.int64, np.float32, np.bool_, np.uint16])
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    stream = io.BytesIO()
    np.save(stream, np.asfortranarray(array) if random.random() < 0.2 else array)
    return stream.getvalue()


def npy_of(array: np.ndarray) -> bytes:
    """The file of an array."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def change_npy(data: bytes, random: Random) -> bytes:
    """Another version, another header, or more or less data."""
    if len(data) < 12:
        return data
    size = int.from_bytes(data[8:10], "little")
    text, rest = data[10 : 10 + size].decode("latin-1"), data[10 + size :]
    way = random.randrange(6)
    if way == 0:
        text = text.replace(text.split("'descr': '")[-1].split("'")[0], random.choice(_DTYPES), 1)
    elif way == 1:
        shape = text.split("'shape': ")[-1].split(")")[0] + ")"
        text = text.replace(shape, random.choice(_SHAPES))
    elif way == 2:
        text = random.choice(_HEADERS)
    elif way == 3:
        text = text.replace("False", random.choice(["True", "1", "None", "'yes'"]))
    elif way == 4:
        rest = random.choice([rest[:-1], rest + b"\0", b"", rest * 2])
    else:
        text = text.strip() + " " * random.choice([0, 1, 20_000]) + "\n"
    version = bytes([random.choice([*[1] * 12, 2, 3, 9]), random.choice([*[0] * 15, 1])])
    width = 2 if version[0] == 1 else 4
    header = text.encode("latin-1", "replace")
    length = len(header) + random.choice([*[0] * 12, 1, -1, 1000])
    return (
        b"\x93NUMPY"
        + version
        + (max(0, length) % (1 << 8 * width)).to_bytes(width, "little")
        + header
        + rest
    )


def npz(random: Random) -> bytes:
    """A data set, whole or nearly."""
    images = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    labels = np.array([0, 1, 2])
    members = {"x_train.npy": npy_of(images), "y_train.npy": npy_of(labels),
               "x_test.npy": npy_of(images), "y_test.npy": npy_of(labels)}  # fmt: skip
    for _ in range(random.choice([0, 0, 1, 2])):
        data = npy(random)
        members[random.choice(_NAMES)] = data if random.random() < 0.5 else change_npy(data, random)
    if random.random() < 0.2:
        members.pop(random.choice(list(members)))
    return archive(members, random)


def npz_of_images(random: Random) -> bytes:
    """An archive of images alone, or of images among others."""
    members = {random.choice(["images.npy", "x.npy", "z.npy"]): npy(random)}
    if random.random() < 0.3:
        members["names.npy"] = npy_of(np.array(["cat", "dog"]))
    return archive(members, random)


def archive(members: dict[str, bytes], random: Random) -> bytes:
    """A ZIP archive."""
    stream = io.BytesIO()
    packing = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED])
    if random.random() < 0.03:
        packing = zipfile.ZIP_BZIP2
    with zipfile.ZipFile(stream, "w", packing) as file:
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, packing)
    return stream.getvalue()


def change_zip(data: bytes, random: Random) -> bytes:
    """A field of a local header, of the directory or of its end."""
    places = [
        at for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06") for at in _all(data, mark)
    ]
    if not places:
        return data
    at = random.choice(places) + 4 + 2 * random.randrange(20)
    size = random.choice([2, 4])
    number = random.choice(_NUMBERS) % (1 << 8 * size)
    return data[:at] + number.to_bytes(size, "little") + data[at + size :]


def _all(data: bytes, mark: bytes) -> list[int]:
    places, at = [], data.find(mark)
    while at >= 0:
        places.append(at)
        at = data.find(mark, at + 1)
    return places


def picture(random: Random) -> bytes:
    """A small picture of one of the formats and modes."""
    mode = random.choice(["L", "RGB", "RGB", "P", "RGBA", "1", "LA", "CMYK", "I;16", "I", "F"])
    size = (4, 4) if random.random() < 0.7 else (random.choice([1, 7]), 5)
    image = Image.frombytes("L", size, random.randbytes(size[0] * size[1])).convert("L")
    stream = io.BytesIO()
    kind = random.choice(["PNG", "PNG", "PNG", "JPEG", "JPEG", "WEBP", "BMP", "PPM", "TIFF"])
    try:
        image.convert(mode).save(stream, kind)
    except (OSError, ValueError, KeyError):
        stream = io.BytesIO()
        image.save(stream, "PNG")
    return stream.getvalue()


def plain_picture() -> bytes:
    """A gray PNG of 4 by 4 pixels."""
    stream = io.BytesIO()
    Image.frombytes("L", (4, 4), bytes(range(16))).save(stream, "PNG")
    return stream.getvalue()


def change_picture(data: bytes, random: Random) -> bytes:
    """A chunk of a PNG with its checksum put right, or a field of another format."""
    if data[:4] != b"\x89PNG":
        at = random.randrange(min(len(data), 64) or 1)
        size = random.choice([1, 2, 4])
        number = random.choice(_NUMBERS) % (1 << 8 * size)
        order = random.choice(["little", "big"])
        return data[:at] + number.to_bytes(size, order) + data[at + size :]
    chunks, place = [], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    at = random.randrange(len(chunks))
    name, body = chunks[at]
    way = random.randrange(5)
    if way == 0 and name == b"IHDR":
        fields = [*struct.unpack(">IIBBBBB", body)]
        fields[random.randrange(7)] = random.choice([0, 1, 2, 3, 4, 6, 8, 16, 255])
        if random.random() < 0.3:
            fields[random.randrange(2)] = random.choice([1 << 15, 1 << 31, 100_000])
        body = struct.pack(">IIBBBBB", *fields)
    elif way == 1:
        body = random.choice([body[:-1], body * 3, b"", random.randbytes(20)])
    elif way == 2:
        name = random.choice([b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"eXIf", b"acTL",
                              b"fcTL", b"fdAT", b"iTXt", b"IEND", b"gAMA"])  # fmt: skip
        body = random.choice(
            [body, zlib.compress(bytes(100)), b"a\0\0" + zlib.compress(b"x" * 999)]
        )
    elif way == 3:
        chunks.insert(at, chunks[at])
    else:
        chunks.pop(at)
        return _png(chunks)
    chunks[at] = (name, body)
    return _png(chunks)


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, body in chunks:
        checksum = zlib.crc32(name + body).to_bytes(4, "big")
        parts.append(len(body).to_bytes(4, "big") + name + body + checksum)
    return b"".join(parts)
