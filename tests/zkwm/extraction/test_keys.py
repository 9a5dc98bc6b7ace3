"""Keys: their bytes, their streams, and their scheme's tag."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from tests.support.dispute import CHEAP, PASSPHRASE
from zkwm.extraction.keys import ExtractionKey, judged_parameters, read_keys, scheme_tag
from zkwm.owner.vault import Vault
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys, draw_keys
from zkwm.watermarks.parameter_encoding.uchida import Uchida
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import Malformed, UsageError

KEY = ExtractionKey(258, bytes(range(16)), bytes(range(100, 114)))


@dataclass(frozen=True)
class Judged(Uchida):
    """A scheme whose bits depend on two parameters."""

    tolerance: float = 0.25
    probes: int = 3
    name: ClassVar[str] = "judged"
    judged: ClassVar[tuple[str, ...]] = ("tolerance", "probes")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault", PASSPHRASE, cost=CHEAP)


def by_hand(purpose: bytes, count: int) -> bytes:
    text = b"zkwm-stream-1" + bytes([len(purpose)]) + purpose
    return hashlib.shake_256(text + bytes(range(16)) + bytes(range(100, 114))).digest(count)


def test_the_bytes_of_a_key_are_layer_scheme_and_secret():
    leaf = KEY.to_leaf()
    assert leaf.shape == (1, 1, 32)
    assert leaf.tobytes() == b"\x01\x02" + bytes(range(16)) + bytes(range(100, 114))
    assert ExtractionKey.from_leaf(leaf) == KEY
    assert "100" not in repr(KEY)
    for wrong in (leaf[:, :, :31], leaf.astype(np.int64), leaf[0]):
        with pytest.raises(Malformed):
            ExtractionKey.from_leaf(wrong)
    for fields in ({"layer": 65_536}, {"layer": -1}, {"scheme": b""}, {"secret": bytes(15)}):
        with pytest.raises(Malformed):
            replace(KEY, **fields)


def test_streams_are_shake_256_of_purpose_and_seed():
    assert KEY.stream("row", 40) == by_hand(b"row", 40)
    assert KEY.stream("rows", 40) != KEY.stream("row", 40)
    assert replace(KEY, layer=3).stream("row", 9) == KEY.stream("row", 9)


def test_signs_are_the_streams_bits_from_the_highest():
    expected = [
        1 if byte >> shift & 1 else -1 for byte in by_hand(b"row", 3) for shift in range(7, -1, -1)
    ]
    assert KEY.signs("row", 20).tolist() == expected[:20]


def test_normals_are_sums_of_twelve_bytes_and_nearly_standard():
    data = by_hand(b"row", 24)
    assert KEY.normals("row", 2).tolist() == [
        (sum(data[:12]) - 1530) / 256, (sum(data[12:]) - 1530) / 256,
    ]  # fmt: skip
    many = KEY.normals("row", 20_000)
    assert (many.astype(np.float32) == many).all()
    assert abs(many.mean()) < 0.03
    assert abs(many.std() - 1) < 0.03
    assert 0.94 < (np.abs(many) < 2).mean() < 0.965


def test_choices_are_different_uniform_and_read_in_words_of_eight_bytes():
    words = [int.from_bytes(by_hand(b"place", 80)[i : i + 8], "big") for i in range(0, 80, 8)]
    assert KEY.choices("place", 5, 10**9).tolist() == [word % 10**9 for word in words[:5]]
    assert sorted(KEY.choices("place", 300, 300).tolist()) == list(range(300))
    with pytest.raises(UsageError, match="do not exist"):
        KEY.choices("place", 4, 3)


def test_keys_are_spread_over_layers_and_never_drawn_twice(vault: Vault):
    first, second = (draw_keys(vault, Uchida(), 12, (4, 700, 2)) for _ in range(2))
    assert first.shape == (12, 1, 1, 32)
    assert [key.layer for key in read_keys(first)] == [4, 700, 2] * 4
    assert len({leaf.tobytes() for leaf in [*first, *second]}) == 24
    assert {key.scheme for key in read_keys(first)} == {scheme_tag(Uchida())}
    for count, layers in ((0, (1,)), (4, ())):
        with pytest.raises(UsageError):
            draw_keys(vault, Uchida(), count, layers)


def test_the_tag_covers_what_bits_depend_on_and_nothing_else():
    described = {"scheme": "judged", "parameters": {"tolerance": "0.25", "probes": 3}}
    digest = hashlib.sha256(b"zkwm-scheme-1" + encode(described)).digest()
    assert scheme_tag(Judged()) == digest[:16]
    assert judged_parameters(Uchida(strength=7.0)) == {}
    assert scheme_tag(Judged(strength=7.0)) == scheme_tag(Judged())
    assert scheme_tag(Judged(tolerance=0.5)) != scheme_tag(Judged())
    assert scheme_tag(Uchida()) != scheme_tag(Judged())


def test_a_commitment_to_keys_has_two_classes_and_names_the_model(vault: Vault, quick_labels: None):
    keys = draw_keys(vault, Uchida(), 100, (0,))
    commitment = commit_keys(vault, keys, block_size=50, owner_model=bytes(32))
    header = commitment.header
    assert (header.class_count, header.shape, header.block_count) == (2, (1, 1, 32), 2)
    assert header.owner_model == bytes(32)
    assert header.label_mode == "derived"
    assert 20 < commitment.labels().sum() < 80
    with pytest.raises(Malformed):
        commit_keys(vault, np.zeros((4, 1, 2, 16), np.uint8))
