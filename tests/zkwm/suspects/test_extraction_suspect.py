"""Suspects from which bits are read: digest, refusals, and a whole case."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.extraction_case import COUNT, ExtractionCase, network, new_case
from tests.support.onnx_case import unusable
from zkwm.attacks.model_modification.permutation import shuffle
from zkwm.attacks.model_modification.structural_obfuscation import StructuralObfuscation
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm.owner.consent import Consent
from zkwm.owner.prove import prove
from zkwm.report import render_report, render_text
from zkwm.suspects import Suspect, open_suspect
from zkwm.suspects.extraction_suspect import ExtractionSuspect
from zkwm.suspects.limits import ExtractionSettings, OnnxLimits
from zkwm.suspects.safetensors_suspect import architecture_digest
from zkwm.watermarks.active.dynamarks import DynaMarks
from zkwm.watermarks.parameter_encoding.key_commitment import draw_keys
from zkwm_protocols.encoding import encode, tensor_digest
from zkwm_protocols.errors import Malformed, NotProven, Unsupported, UsageError
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture
def case(tmp_path: Path) -> ExtractionCase:
    return new_case(tmp_path)


def verdict(case: ExtractionCase, suspect: Suspect, judge: Judge) -> Verdict:
    """Challenge, answer and check, all blocks."""
    challenge = judge.challenge(case.commitment, suspect, reveal=COUNT)
    proof = prove(
        case.vault,
        case.commitment,
        challenge,
        judge_fingerprint=judge.public.fingerprint(),
        consent=Consent(again=True, last=True),
    )
    return judge.verify(case.commitment, suspect, challenge.to_bytes(), proof.to_bytes())


def test_the_mark_is_proven_even_in_a_disguise(case: ExtractionCase, judge: Judge) -> None:
    disguised = case.save("disguised", shuffle(case.marked, 4))
    found = verdict(case, case.suspect(disguised), judge)
    assert found.evidence is not None
    assert found.evidence.matches >= COUNT - 3
    assert found.challenge is not None
    assert found.challenge.suspect.description == (
        "mark uchida in lenet5, disguised; aligned with the owner's unmarked model"
    )
    assert "aligned with the owner's unmarked model" in " ".join(render_text(found).split())
    page = render_report(found)
    assert "secret keys" in page
    assert "mark extracted from weights" in page
    assert "<img" not in page


def test_the_mark_is_proven_behind_neurons_that_were_added_and_split(
    case: ExtractionCase, judge: Judge
) -> None:
    attack = StructuralObfuscation(share=1.0)
    path = case.save("wide", attack.obfuscated(case.marked, 4))
    found = verdict(case, case.suspect(path), judge)
    assert found.evidence is not None
    assert found.evidence.matches >= COUNT - 3


def test_folding_and_alignment_have_limits_of_time(case: ExtractionCase) -> None:
    settings = ExtractionSettings("uchida", reference=case.folder / "unmarked")
    limits = OnnxLimits(load_seconds=0.001, image_seconds=0.001)
    with unusable("it takes more than"):
        ExtractionSuspect(case.folder / "marked", settings, limits=limits)


@pytest.mark.parametrize("named", [True, False])
def test_neurons_that_cannot_be_folded_are_said_to_before_keys_are_opened(
    tmp_path: Path, named: bool
) -> None:
    case = new_case(tmp_path, named=named)
    wide = StructuralObfuscation("zero", 1.0).obfuscated(case.marked, 4)
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    path = case.save("innocent", wide)
    with unusable("cannot be folded"):
        case.suspect(path) if named else case.suspect(path, reference=None)


def test_without_a_named_model_a_disguise_voids_the_mark_and_is_said_to(
    tmp_path: Path, judge: Judge
) -> None:
    case = new_case(tmp_path, named=False)
    plain = verdict(case, case.suspect(tmp_path / "marked", reference=None), judge)
    for text in (render_text(plain), render_report(plain)):
        assert "NOT aligned: a permutation of neurons voids this mark" in " ".join(text.split())
    (tmp_path / "again").mkdir()
    case = new_case(tmp_path / "again", named=False)
    disguised = case.save("disguised", shuffle(case.marked, 4))
    with pytest.raises(NotProven) as caught:
        verdict(case, case.suspect(disguised, reference=None), judge)
    assert caught.value.verdict.evidence.matches < 93


def test_an_innocent_network_is_not_proven(case: ExtractionCase, judge: Judge) -> None:
    innocent = case.save("innocent", network(7))
    with pytest.raises(NotProven) as caught:
        verdict(case, case.suspect(innocent), judge)
    assert 35 < caught.value.verdict.evidence.matches < 93


def test_the_digest_pins_everything_that_bits_depend_on(case: ExtractionCase) -> None:
    path = case.folder / "marked"
    probes = np.arange(2 * 784, dtype=np.uint64).astype(np.uint8).reshape(2, 1, 28, 28)
    found = case.suspect(path, probes=probes).identity
    pinned = {
        "scheme": "uchida",
        "parameters": {},
        "model": architecture_digest(case.marked),
        "reference": architecture_digest(case.unmarked),
        "probe_data": tensor_digest([("probes", "uint8", (2, 1, 28, 28), probes.tobytes())]),
        "probe_count": 2,
    }
    assert found.digest == hashlib.sha256(b"zkwm-extraction-3" + encode(pinned)).digest()
    others = [
        case.suspect(path).identity,
        case.suspect(path, probes=probes[:1]).identity,
        case.suspect(path, probes=probes, watermark="tartaglione").identity,
        case.suspect(path, probes=probes, reference=None).identity,
        case.suspect(case.folder / "unmarked", probes=probes).identity,
    ]
    assert len({found.digest, *(other.digest for other in others)}) == 6
    assert (found.kind, found.outputs, found.shape) == ("extraction", 2, (1, 1, 32))


def test_bits_do_not_depend_on_what_else_is_asked(case: ExtractionCase) -> None:
    suspect = case.suspect(case.folder / "marked")
    seen: list[tuple[int, int]] = []
    answers = suspect.answer(
        case.keys, Preprocessing(), progress=lambda done, count: seen.append((done, count))
    )
    assert seen[-1] == (COUNT, COUNT)
    assert [answer.output for answer in answers] == case.labels.tolist()
    backwards = suspect.answer(case.keys[::-1].copy(), Preprocessing())
    assert backwards[::-1] == answers
    assert suspect.answer(case.keys[3:4], Preprocessing()) == answers[3:4]


@pytest.mark.parametrize(
    ("settings", "error", "complaint"),
    [
        ({"watermark": "adi"}, UsageError, "is not extracted"),
        ({"watermark": "uchid"}, UsageError, "is not extracted"),
        ({"parameters": {"strength": 0.5}}, UsageError, "does not depend on a parameter"),
        ({"reference": "nowhere"}, Unsupported, "holds no weights"),
        ({"probes": np.zeros((1, 3, 28, 28), np.uint8)}, UsageError, "shape"),
        ({"watermark": "deepsigns"}, UsageError, "there are none"),
        (
            {"watermark": "dynamarks", "probes": np.zeros((0, 1, 28, 28), np.uint8)},
            UsageError,
            "there are none",
        ),
    ],
)
def test_settings_that_make_no_sense(
    case: ExtractionCase, settings: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    with pytest.raises(error, match=complaint):
        case.suspect(case.folder / "marked", **settings)


def test_suspects_from_which_nothing_can_be_extracted(case: ExtractionCase) -> None:
    (case.folder / "model.onnx").write_bytes(b"")
    for name in ("model.onnx", "missing"):
        with pytest.raises(Unsupported, match="no weights of a built-in architecture"):
            case.suspect(case.folder / name)
    other = case.save("dense", network(1, "dense"))
    with unusable("cannot be aligned"):
        case.suspect(other)
    unaligned = case.suspect(other, reference=None)
    with unusable("not a convolution"):
        unaligned.answer(case.keys, Preprocessing())
    settings = {"shape": (1, 28, 28), "outputs": 10}
    with pytest.raises(UsageError, match="trigger images, not to keys"):
        open_suspect(case.folder / "marked", extraction=_settings(), **settings)


def test_a_mark_in_answers_is_read_from_another_architecture(case: ExtractionCase) -> None:
    probes = np.random.default_rng(1).integers(0, 256, (20, 1, 28, 28), dtype=np.uint8)
    surrogate = case.save("surrogate", network(1, "dense"))
    suspect = case.suspect(surrogate, watermark="dynamarks", probes=probes)
    assert "read from its answers; the challenge draws 20 probes" in suspect.identity.description
    suspect.draw_probes(bytes(32))
    keys = draw_keys(case.vault, DynaMarks(), 10, (0,))
    found = [answer.output for answer in suspect.answer(keys, Preprocessing())]
    assert set(found) <= {0, 1}


def _settings() -> Any:
    from zkwm import ExtractionSettings

    return ExtractionSettings("uchida")


def test_keys_have_no_preprocessing(case: ExtractionCase) -> None:
    suspect = case.suspect(case.folder / "marked")
    suspect.check_preprocessing(Preprocessing())
    for other in (Preprocessing(scale="raw"), Preprocessing(mean=("0.5",), std=("0.5",))):
        with unusable("no preprocessing"):
            suspect.check_preprocessing(other)


def test_the_identity_has_two_outputs_and_keys_of_32_bytes(case: ExtractionCase) -> None:
    identity = case.suspect(case.folder / "marked").identity
    assert SuspectIdentity.from_map(identity.to_map()) == identity
    for change in ({"outputs": 3}, {"shape": (1, 32, 1)}):
        with pytest.raises(Malformed, match="2 outputs and keys"):
            replace(identity, **change)
