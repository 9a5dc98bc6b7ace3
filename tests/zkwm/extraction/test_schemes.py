"""The readers' table beside that of watermarks: the same names, digests and needs."""

from __future__ import annotations

import pytest

from zkwm.extraction.keys import scheme_tag
from zkwm.extraction.schemes import IN_ANSWERS, READERS, make_reader
from zkwm.watermarks import WATERMARKS, make_watermark


def test_every_scheme_is_in_one_of_the_two() -> None:
    assert set(READERS) | IN_ANSWERS == set(WATERMARKS)
    assert not set(READERS) & IN_ANSWERS


@pytest.mark.parametrize("name", READERS)
def test_a_reader_is_its_scheme(name: str) -> None:
    reader, scheme = make_reader(name), make_watermark(name)
    assert scheme_tag(reader) == scheme_tag(scheme)
    assert (reader.name, reader.access) == (scheme.name, scheme.access)
    assert (reader.judged, reader.needs_probes) == (scheme.judged, scheme.needs_probes)
