"""The prover's random stream: uniform, never repeated, never copied, never shown."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from tests.support.argument_case import argument_case
from zkwm_protocols.argument import prover_randomness as randomness
from zkwm_protocols.argument.prover_randomness import RandomStream, proof_purpose
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.scalar import P

SECRET = bytes(range(32))


@pytest.fixture
def without_system_randomness(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operating system that always gives the same bytes."""
    monkeypatch.setattr(randomness.secrets, "token_bytes", bytes)


def test_elements_are_residues() -> None:
    for count in (0, 1, 7, 1000, 100_000):
        drawn = RandomStream(SECRET).elements(count)
        assert drawn.shape == (count,)
        assert drawn.dtype == np.uint32
        assert (drawn < P).all()


def test_bytes_have_the_length_asked_for() -> None:
    stream = RandomStream(SECRET)
    for count in (0, 1, 31, 32, 5000, (1 << 20) + 3):
        assert len(stream.bytes(count)) == count


@pytest.mark.usefixtures("without_system_randomness")
def test_elements_are_uniform() -> None:
    drawn = RandomStream(SECRET, b"uniform").elements(1 << 17)
    for bins in (16, 127):  # 127 divides p - 1: bins of equal size but for one value
        counts = np.bincount(
            (drawn.astype(np.uint64) * np.uint64(bins) // np.uint64(P)).astype(np.int64),
            minlength=bins,
        )
        expected = len(drawn) / bins
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert abs(chi_square - bins) < 6 * np.sqrt(2 * bins)
    assert abs((drawn & np.uint32(1)).mean() - 0.5) < 0.01


@pytest.mark.usefixtures("without_system_randomness")
def test_rejection_starts_at_p(monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.array([P, P - 1, 2**31 - 1, 0, P + 1, 5, 2**31 + 6], dtype="<u4").tobytes()
    monkeypatch.setattr(
        RandomStream, "bytes", lambda self, count: (words * (count // len(words) + 1))[:count]
    )
    assert RandomStream(SECRET).elements(4).tolist() == [P - 1, 0, 5, 6]


def test_no_part_of_the_stream_repeats() -> None:
    stream = RandomStream(SECRET)
    pieces = [stream.bytes(32) for _ in range(300)]
    long = stream.bytes((1 << 21) + 32)
    pieces += [long[:32], long[1 << 20 : (1 << 20) + 32], long[1 << 21 :]]
    pieces += [stream.elements(8).tobytes() for _ in range(300)]
    assert len(set(pieces)) == len(pieces)


def test_streams_with_equal_arguments_differ() -> None:
    assert len({RandomStream(SECRET, b"a").bytes(32) for _ in range(50)}) == 50


@pytest.mark.usefixtures("without_system_randomness")
def test_secret_and_digests_make_a_difference_without_the_system() -> None:
    arguments = [
        (SECRET,),
        (SECRET, b""),
        (SECRET, b"ab"),
        (SECRET, b"a", b"b"),
        (SECRET, b"b", b"a"),
        (SECRET + b"a",),
        (bytes(32),),
    ]
    assert len({RandomStream(*parts).bytes(32) for parts in arguments}) == len(arguments)


def test_a_stream_is_never_copied() -> None:
    stream = RandomStream(SECRET)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            attempt(stream)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(stream, protocol)
    with pytest.raises(TypeError):
        stream.__getstate__()
    with pytest.raises(TypeError):
        copy.copy({"inside": [stream]}) and copy.deepcopy({"inside": [stream]})


def test_a_stream_shows_nothing() -> None:
    stream = RandomStream(SECRET, b"digest")
    assert repr(stream) == str(stream) == "RandomStream()"
    assert not hasattr(stream, "__dict__")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(UsageError):
        RandomStream(bytes(31))


@pytest.mark.usefixtures("without_system_randomness")
def test_release_layout_statement_and_witness_make_a_difference() -> None:
    """The same numbers in another order would give two proofs related pads."""
    case = argument_case()
    other = replace(case.layout, columns=case.layout.columns + 1)
    statement = replace(case.statement, context=b"another")
    cells = case.witness.cells.copy()
    cells[0, 0] ^= 1
    honest = (case.layout, case.statement, case.witness.cells)
    purposes = [
        proof_purpose("1.0", *honest),
        proof_purpose("1.1", *honest),
        proof_purpose("1.0", other, case.statement, case.witness.cells),
        proof_purpose("1.0", case.layout, statement, case.witness.cells),
        proof_purpose("1.0", case.layout, case.statement, cells),
    ]
    assert len({RandomStream(SECRET, *purpose).bytes(32) for purpose in purposes}) == 5
    again = proof_purpose("1.0", *honest)
    assert RandomStream(SECRET, *again).bytes(32) == RandomStream(SECRET, *purposes[0]).bytes(32)
