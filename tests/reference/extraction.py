"""Keys, streams, the suspect's digest and bits of SPEC.md sections 19.1 to 19.3 and 19.5.

Plain Python: lists, exact sums, SHAKE. Alignment (19.4) is `alignment`. Not the networks: weights,
activations and answers are given.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from math import isfinite
from typing import Any

from tests.reference.cbor import write

Tensor = tuple[str, list[int], bytes]
"""Name of the dtype, sizes, elements in C order, little-endian."""


def described(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as they are hashed: a floating-point number as text."""
    return {
        name: repr(value) if type(value) is float else value for name, value in parameters.items()
    }


def scheme_digest(scheme: str, parameters: dict[str, Any]) -> bytes:
    """The 16 bytes that stand in every key (19.1)."""
    value = {"scheme": scheme, "parameters": described(parameters)}
    return hashlib.sha256(b"zkwm-scheme-1" + write(value)).digest()[:16]


def key(layer: int, scheme: bytes, secret: bytes) -> bytes:
    """The 32 bytes of a key: layer, scheme, secret."""
    return layer.to_bytes(2, "big") + scheme + secret


def stream(seed: bytes, purpose: str, count: int) -> bytes:
    """The first bytes of a stream (19.2)."""
    name = purpose.encode("ascii")
    return hashlib.shake_256(b"zkwm-stream-1" + bytes([len(name)]) + name + seed).digest(count)


def signs(seed: bytes, purpose: str, count: int) -> list[int]:
    """+1 and -1, from the most significant bit of each byte."""
    data = stream(seed, purpose, count // 8 + 1)
    return [1 if data[i // 8] >> (7 - i % 8) & 1 else -1 for i in range(count)]


def normals(seed: bytes, purpose: str, count: int) -> list[Fraction]:
    """Sums of twelve bytes."""
    data = stream(seed, purpose, 12 * count)
    return [Fraction(sum(data[12 * i : 12 * i + 12]) - 1530, 256) for i in range(count)]


def choices(seed: bytes, purpose: str, count: int, below: int) -> list[int]:
    """Different numbers below ``below``, word by word."""
    found: list[int] = []
    words = 0
    while len(found) < count:
        words += 1
        word = int.from_bytes(stream(seed, purpose, 8 * words)[-8:], "big")
        if word < 2**64 // below * below and word % below not in found:
            found.append(word % below)
    return found


def tensors_digest(tensors: dict[str, Tensor]) -> bytes:
    """The digest of section 3.4."""
    text = b"zkwm-tensors-1"
    for name in sorted(tensors, key=lambda name: name.encode("utf-8")):
        dtype, sizes, data = tensors[name]
        head = write([name, dtype, sizes, len(data)])
        text += len(head).to_bytes(8, "big") + head + data
    return hashlib.sha256(text).digest()


def model_digest(
    architecture: str, shape: list[int], classes: int, tensors: dict[str, Tensor]
) -> bytes:
    """The digest of section 4.3, kind `safetensors`."""
    value = {"architecture": architecture, "shape": shape, "classes": classes}
    return hashlib.sha256(b"zkwm-model-1" + write(value) + tensors_digest(tensors)).digest()


def suspect_digest(
    scheme: str,
    parameters: dict[str, Any],
    model: bytes,
    reference: bytes | None,
    probes: Tensor | None,
) -> bytes:
    """The digest of a suspect of which a mark is extracted (19.3); ``probes`` is the data set."""
    value = {
        "scheme": scheme,
        "parameters": described(parameters),
        "model": model,
        "reference": reference,
        "probe_data": None if probes is None else tensors_digest({"probes": probes}),
        "probe_count": 0 if probes is None else min(500, probes[1][0]),
    }
    return hashlib.sha256(b"zkwm-extraction-3" + write(value)).digest()


def drawn_probes(nonce: bytes, images: int) -> list[int]:
    """The numbers of the probes among so many images, for a challenge with this nonce (19.3)."""
    words = hashlib.shake_256(b"zkwm-probes-1" + nonce).digest(80 * images + 800)
    limit = 2**64 // images * images
    numbers: list[int] = []
    for start in range(0, len(words), 8):
        word = int.from_bytes(words[start : start + 8], "big")
        if word < limit and word % images not in numbers:
            numbers.append(word % images)
    assert len(numbers) >= min(500, images)
    return numbers[: min(500, images)]


def nearest(exact: Fraction) -> float:
    """The nearest double."""
    return exact.numerator / exact.denominator


def uchida_bit(one_key: bytes, filters: list[list[list[float]]]) -> int | None:
    """The bit of a key; weights [o][i][h * w + w'] of the convolution that it names.

    None where weights are not finite: the suspect could not be checked.
    """
    if not all(isfinite(w) for row in filters for taps in row for w in taps):
        return None
    places = [(i, t) for i in range(len(filters[0])) for t in range(len(filters[0][0]))]
    means = [nearest(sum((Fraction(row[i][t]) for row in filters), Fraction())) for i, t in places]
    drawn = signs(one_key[2:], "row", len(means))
    total = sum((s * Fraction(w) for s, w in zip(drawn, means, strict=True)), Fraction())
    return 1 if total >= 0 else 0


def tartaglione_bit(one_key: bytes, weights: list[float]) -> int | None:
    """The bit of a key; all weights without biases, layer after layer. None: not finite."""
    if not all(map(isfinite, weights)):
        return None
    (place,) = choices(one_key[2:], "position", 1, len(weights))
    return 1 if weights[place] >= 0 else 0


def neuralmark_bit(one_key: bytes, weights: list[float]) -> int | None:
    """The bit of a key; the weights of its layer. None: not finite."""
    if not all(map(isfinite, weights)):
        return None
    seed = one_key[2:]
    kept = [w for w, f in zip(weights, signs(seed, "filter", len(weights)), strict=True) if f > 0]
    cells = signs(seed, "row", 64)
    exact = sum(Fraction(w) * cells[64 * j // len(kept)] for j, w in enumerate(kept))
    return 1 if exact >= 0 else 0


def deepsigns_sum(
    one_key: bytes, activations: list[list[float]], answers: list[int]
) -> Fraction | None:
    """The inner product of a key's signs with its class; None where no probe is of it."""
    wanted = int.from_bytes(one_key[:2], "big")
    means = {}
    for c in set(answers):
        rows = [row for row, answer in zip(activations, answers, strict=True) if answer == c]
        means[c] = [sum(map(Fraction, column)) / len(rows) for column in zip(*rows, strict=True)]
    if wanted not in means:
        return None
    middle = [sum(column) / len(means) for column in zip(*means.values(), strict=True)]
    drawn = signs(one_key[2:], "row", len(middle))
    left = [value - m for value, m in zip(means[wanted], middle, strict=True)]
    return sum((s * v for s, v in zip(drawn, left, strict=True)), Fraction())


def deepsigns_bit(one_key: bytes, activations: list[list[float]], answers: list[int]) -> int:
    """The bit of a key; activations before the last layer and the answer, for each probe."""
    found = deepsigns_sum(one_key, activations, answers)
    return 1 if found is not None and found >= 0 else 0
