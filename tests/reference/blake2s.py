"""BLAKE2s-256 (RFC 7693) one word at a time, and the cells that SPEC.md 17.3 makes of it."""

from __future__ import annotations

WORD = 2**32
IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB,
      0x5BE0CD19]  # fmt: skip
SIGMA = """
    0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
   14 10  4  8  9 15 13  6  1 12  0  2 11  7  5  3
   11  8 12  0  5  2 15 13 10 14  3  6  7  1  9  4
    7  9  3  1 13 12 11 14  2  6  5 10  4  0 15  8
    9  0  5  7  2  4 10 15 14  1 11 12  6  8  3 13
    2 12  6 10  0 11  8  3  4 13  7  5 15 14  1  9
   12  5  1 15 14 13  4 10  0  7  6  3  9  2  8 11
   13 11  7 14 12  1  3  9  5  0 15  4  8  6  2 10
    6 15 14  9 11  3  0  8 12  2 13  7  1  4 10  5
   10  2  8  4  7  6  1  5 15 11  9 14  3 12 13  0
"""


def digest_and_cells(message: bytes, person: bytes) -> tuple[bytes, list[int]]:
    """The digest without a key, and the cells of the leaf part in their order."""
    parameters = bytes([32, 0, 1, 1]) + bytes(20) + person.ljust(8, b"\0")
    h = [a ^ b for a, b in zip(IV, words(parameters), strict=True)]
    blocks = [message[i : i + 64] for i in range(0, len(message), 64)] or [b""]
    cells: list[int] = []
    hashed = 0
    for number, block in enumerate(blocks):
        hashed += len(block)
        last = number == len(blocks) - 1
        h = compress(h, words(block.ljust(64, b"\0")), hashed, last, cells)
        if not last:
            cells += [byte for word in h for byte in word.to_bytes(4, "little")]
    return b"".join(word.to_bytes(4, "little") for word in h), cells


def compress(h: list[int], m: list[int], hashed: int, last: bool, cells: list[int]) -> list[int]:
    """F of section 3.2; appends its cells but those of the new h."""
    v = h + IV
    v[12] ^= hashed % WORD
    v[13] ^= hashed // WORD
    if last:
        v[14] ^= WORD - 1
    for line in SIGMA.strip().splitlines():
        s = [int(entry) for entry in line.split()]
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]], cells)
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]], cells)
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]], cells)
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]], cells)
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]], cells)
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]], cells)
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]], cells)
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]], cells)
    folded = [v[i] ^ v[i + 8] for i in range(8)]
    cells += [byte for word in folded for byte in word.to_bytes(4, "little")]
    return [a ^ b for a, b in zip(h, folded, strict=True)]


def mix(v: list[int], a: int, b: int, c: int, d: int, x: int, y: int, cells: list[int]) -> None:
    """G of section 3.1; appends its 40 cells."""
    for operand, first, second, cut in ((x, 16, 12, 16), (y, 8, 7, 128)):
        v[a] = (v[a] + v[b] + operand) % WORD
        cells += v[a].to_bytes(4, "little")
        v[d] ^= v[a]
        cells += v[d].to_bytes(4, "little")
        v[d] = rotate(v[d], first)
        v[c] = (v[c] + v[d]) % WORD
        cells += v[c].to_bytes(4, "little")
        v[b] ^= v[c]
        cells += [byte % cut for byte in v[b].to_bytes(4, "little")]
        cells += [byte // cut for byte in v[b].to_bytes(4, "little")]
        v[b] = rotate(v[b], second)


def rotate(word: int, count: int) -> int:
    """To the right."""
    return word // 2**count + word % 2**count * 2 ** (32 - count)


def words(data: bytes) -> list[int]:
    """Words of 4 bytes, little-endian."""
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
