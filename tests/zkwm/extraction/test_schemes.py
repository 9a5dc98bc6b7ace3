"""The table of readers agrees with that of watermarks: names, tags, access."""

from __future__ import annotations

import pytest

from zkwm.extraction.keys import scheme_tag
from zkwm.extraction.reader import BLACK_BOX
from zkwm.extraction.schemes import READERS, make_reader, reader_class
from zkwm.watermarks import WATERMARKS, make_watermark, watermark_class
from zkwm_protocols.errors import UsageError


def test_every_scheme_that_is_not_in_the_answers_has_a_reader() -> None:
    extracted = {name for name in WATERMARKS if watermark_class(name).access != BLACK_BOX}
    assert set(READERS) == extracted


def test_a_mark_in_the_answers_is_not_extracted() -> None:
    for name in (*(set(WATERMARKS) - set(READERS)), "uchid"):
        with pytest.raises(UsageError) as caught:
            reader_class(name)
        assert "uchida, deepsigns, tartaglione, neuralmark, dynamarks" in caught.value.hint


@pytest.mark.parametrize("name", READERS)
def test_a_reader_is_its_scheme(name: str) -> None:
    reader, scheme = make_reader(name), make_watermark(name)
    assert scheme_tag(reader) == scheme_tag(scheme)
    assert (reader.name, reader.access) == (scheme.name, scheme.access)
    assert reader.judged == scheme.judged
    assert reader == scheme.reader()
