"""Archives of cases in which a mark is extracted: packed with what it takes, and repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.archives import manifest_of
from tests.support.dispute import TestJudge, new_judge
from tests.support.extraction_case import COUNT, ExtractionCase, new_case
from zkwm.case_archive.container import read_archive, write_archive
from zkwm.case_archive.extracted_mark import ExtractedMark, mark_settings
from zkwm.case_archive.pack import pack_case
from zkwm.case_archive.replay import Replay, check_case
from zkwm.data.bundled import load_bundled
from zkwm.judge.verdict import Outcome
from zkwm.nn.model_file import weight_bytes
from zkwm.suspects import ExtractionSettings
from zkwm_protocols.errors import Malformed, Unsupported, UsageError

pytestmark = pytest.mark.usefixtures("quick_labels")

MARK = ExtractedMark("uchida", {})


@dataclass
class Decided:
    """A decided case, its files, and its archive."""

    case: ExtractionCase
    judge: TestJudge
    files: list[Path]
    settings: ExtractionSettings

    def pack(self, *, triggers: bool = True) -> bytes:
        key = self.judge.key if triggers else None
        return pack_case(self.files, triggers=key, extraction=self.settings)[0]

    def check(self, data: bytes) -> Replay:
        return check_case(data, self.judge.public)


@pytest.fixture(scope="module")
def kept() -> dict[str, Decided]:
    """The case, made by the first test: ``quick_labels`` is there for tests alone."""
    return {}


@pytest.fixture
def decided(tmp_path_factory: pytest.TempPathFactory, kept: dict[str, Decided]) -> Decided:
    if "case" not in kept:
        kept["case"] = decide(tmp_path_factory.mktemp("case"))
    return replace(kept["case"])


def decide(folder: Path) -> Decided:
    """Challenge, answer, verdict, all in files."""
    judge, case, model = new_judge(), new_case(folder), folder / "marked"
    with case.suspect(model) as suspect:
        challenge = judge.challenge(case.commitment, suspect, reveal=COUNT)
        proof = case.answered(judge, challenge)
        verdict = judge.verify(case.commitment, suspect, challenge, proof)
    contents = {
        "a.commitment": case.commitment.to_bytes(),
        "a.challenge": challenge.to_bytes(),
        "a.proof": proof,
        "a.verdict": judge.sign_verdict(verdict),
        "judge.key.pub": judge.public.to_bytes(),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    files = [*(folder / name for name in contents), model]
    settings = ExtractionSettings("uchida", {}, folder / "unmarked")
    return Decided(case, judge, files, settings)


def states(replay: Replay) -> dict[str, str]:
    return {step.name: step.state for step in replay.steps}


def changed(data: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    """The archive with other contents, and a manifest that fits them."""
    contents = read_archive(data)[1]
    change(contents)
    return write_archive(manifest_of(contents), contents)


def test_a_mark_is_extracted_again_from_the_archive_alone(decided: Decided) -> None:
    data, models = decided.pack(), [decided.case.folder / name for name in ("marked", "unmarked")]
    for model in models:
        model.rename(model.with_suffix(".away"))
    replay = decided.check(data)
    for model in models:
        model.with_suffix(".away").rename(model)
    assert states(replay) == dict.fromkeys(
        ("verdict", "files", "signatures", "suspect", "leaves", "answers", "evidence"), "repeated"
    )
    assert replay.outcome == Outcome.PROVEN


def test_without_keys_the_bits_rest_on_the_judge(decided: Decided) -> None:
    found = states(decided.check(decided.pack(triggers=False)))
    assert (found["suspect"], found["answers"]) == ("repeated", "not repeated")


@pytest.mark.parametrize("role", ["suspect", "reference"])
def test_other_weights_differ(decided: Decided, role: str) -> None:
    """The reference is exchanged for the marked model, the suspect for the unmarked one."""
    other = decided.case.unmarked if role == "suspect" else decided.case.marked
    data = changed(
        decided.pack(triggers=False),
        lambda found: found.update({f"{role}/model.safetensors": weight_bytes(other)}),
    )
    assert states(decided.check(data))["suspect"] == "differs"


def test_another_scheme_or_probes_differ(decided: Decided) -> None:
    data = decided.pack(triggers=False)
    probes = b"no array"
    scheme = ExtractedMark("tartaglione", {}).to_bytes()
    other = changed(data, lambda found: found.update({"extraction/extraction.json": scheme}))
    assert states(decided.check(other))["suspect"] == "differs"
    broken = changed(data, lambda found: found.update({"probes/probes.npy": probes}))
    assert states(decided.check(broken))["suspect"] == "not repeated"
    unknown = ExtractedMark("none", {}).to_bytes()
    other = changed(data, lambda found: found.update({"extraction/extraction.json": unknown}))
    assert states(decided.check(other))["suspect"] == "not repeated"


def test_an_archive_that_does_not_say_how(decided: Decided) -> None:
    data = decided.pack(triggers=False)
    with pytest.raises(Malformed, match="no mark that is extracted"):
        decided.check(changed(data, lambda found: found.pop("extraction/extraction.json")))

    def silent(found: dict[str, bytes]) -> None:
        for path in [path for path in found if path.startswith(("extraction/", "reference/"))]:
            del found[path]

    found = states(decided.check(changed(data, silent)))
    assert (found["suspect"], found["answers"]) == ("not repeated", "not repeated")


def test_what_is_not_the_challenges_is_not_packed(decided: Decided) -> None:
    case, files = decided.case, decided.files
    decided.settings = ExtractionSettings("uchida")
    with pytest.raises(UsageError, match="not the suspect that the challenge names"):
        decided.pack()
    with pytest.raises(UsageError, match="nobody says how"):
        pack_case(files)
    decided.settings = ExtractionSettings("uchida", {}, case.folder / "unmarked")
    decided.files = [*files[:-1], case.folder / "unmarked"]
    with pytest.raises(UsageError, match="not the suspect that the challenge names"):
        decided.pack()
    decided.files = files[:-1]
    with pytest.raises(UsageError, match="from one model"):
        decided.pack()


def test_probes_are_the_archives_or_the_bundled_ones() -> None:
    deepsigns = ExtractedMark("deepsigns", {})
    bundled = mark_settings(deepsigns, None, None).probes
    assert bundled is not None
    np.testing.assert_array_equal(bundled, load_bundled().test_images)
    assert mark_settings(MARK, None, None).probes is None


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"[" * 50_000, b" " * 70_000, MARK.to_bytes() + b"\n",
        MARK.to_bytes().replace(b"{}", b"[]"), MARK.to_bytes().replace(b"{}", b'{"a": null}'),
        MARK.to_bytes().replace(b'"uchida"', b"5"), MARK.to_bytes().replace(b"/v1", b"/v2"),
    ],
)  # fmt: skip
def test_another_description_is_refused(data: bytes) -> None:
    with pytest.raises((Malformed, Unsupported)):
        ExtractedMark.from_bytes(data)


def test_a_description_has_one_encoding() -> None:
    mark = ExtractedMark("dynamarks", {"floor": 1e-05})
    assert ExtractedMark.from_bytes(mark.to_bytes()) == mark
    assert b'"floor": 1e-05' in mark.to_bytes()
