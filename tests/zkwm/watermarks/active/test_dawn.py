"""DAWN: a keyed few answers are wrong and logged, surrogates repeat them, others do not."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from tests.support.own_marks import new_owner
from tests.support.trigger_owner import small_data
from zkwm.extraction.keys import ExtractionKey
from zkwm.extraction.reader import JudgeView
from zkwm.owner.commit import trigger_set
from zkwm.training.fit import Fit, fit
from zkwm.watermarks.active.dawn import Dawn, LoggingResponder
from zkwm.watermarks.watermark import DECLARED, Marked, Owner, matches
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Owner:
    return new_owner(tmp_path_factory.mktemp("dawn"))


@pytest.fixture(scope="module")
def questions() -> Tensor:
    return torch.tensor(small_data().train_images).float() / 255


@pytest.mark.slow
def test_the_share_is_wrong(owner: Owner, questions: Tensor) -> None:
    """Of fixed keys, since images alike are wrong together and the share of one key varies."""
    scheme = Dawn(rate=0.1)
    model = owner.trained_start()
    with torch.no_grad():
        first = model(questions).argmax(dim=1)
    wrong = 0.0
    for number in range(20):
        key = ExtractionKey(0, bytes(16), bytes([number] * 14))
        answers = LoggingResponder(model, key, owner.data.train_images, scheme)(questions)
        wrong += float((answers.argmax(dim=1) != first).float().mean()) / 20
    assert 0.08 < wrong < 0.12


@pytest.mark.slow
def test_only_two_classes_are_exchanged(owner: Owner, questions: Tensor) -> None:
    scheme = Dawn(rate=0.3)
    mark = scheme.embed(owner, scheme.commit(owner))
    with torch.no_grad():
        before = mark.model(questions).softmax(dim=1)
    after = mark.answers()(questions)
    wrong = before.argmax(dim=1) != after.argmax(dim=1)
    assert wrong.any()
    torch.testing.assert_close(after[~wrong], before[~wrong])
    torch.testing.assert_close(after.sort(dim=1).values, before.sort(dim=1).values)
    assert ((after != before).sum(dim=1)[wrong] == 2).all()
    assert torch.equal(after, mark.answers()(questions))
    noise = 0.002 * torch.randn(questions.shape, generator=torch.Generator().manual_seed(0))
    again = mark.answers()((questions + noise).clamp(0, 1))
    # Keys are drawn in each run: 0.977 to 0.992 in four (deviation 0.0075). Wrong answers that did
    # not depend on the image would agree in 0.58.
    assert (again.argmax(dim=1) == after.argmax(dim=1)).float().mean() > 0.94


def test_what_was_wrong_is_logged_once_and_can_be_committed_to(owner: Owner) -> None:
    scheme = Dawn(rate=0.3, log=40)
    marked = scheme.embed(owner, scheme.commit(owner))
    assert scheme.logged(marked) is None
    images = torch.tensor(owner.data.train_images)
    first = marked.answers()(images[:30].float() / 255).argmax(dim=1)
    with torch.no_grad():
        plain = marked.model(images[:30].float() / 255).argmax(dim=1)
    marked.answers()(images[:30].float() / 255)
    marked.answers()(torch.ones(200, *small_data().shape))
    wrong = (first != plain).nonzero().flatten()
    marked.answers()(images.float() / 255)
    pairs = scheme.logged(marked)
    assert pairs is not None
    assert pairs.images.shape == (40, *small_data().shape)
    assert torch.equal(torch.tensor(pairs.images[: len(wrong)]), images[wrong])
    assert pairs.labels[: len(wrong)].tolist() == first[wrong].tolist()
    assert matches(scheme.reader().extract(marked.model, pairs.images, JudgeView()), pairs) == 0

    committed = scheme.commit_log(owner, marked)
    assert committed.header.label_mode == DECLARED
    assert trigger_set(owner.vault, committed).labels.tolist() == pairs.labels.tolist()


@pytest.mark.slow
def test_networks_repeat_the_answers_they_learned_even_classes_alone(
    owner: Owner, questions: Tensor
) -> None:
    """With a fixed key, since how much is repeated varies from key to key."""
    scheme, model = Dawn(rate=0.3), owner.trained_start()
    key = ExtractionKey(0, bytes(16), bytes([1] * 14))
    api = LoggingResponder(model, key, owner.data.train_images, scheme)
    marked = Marked(model, 0.0, api=api)
    told = api(questions[:200]).argmax(dim=1)
    pairs = scheme.logged(marked)
    assert pairs is not None
    stolen = copy.deepcopy(marked.model)
    assert matches(scheme.reader().extract(stolen, pairs.images, JudgeView()), pairs) == 0
    fit(stolen, questions[:200], told, Fit(epochs=30, rate=0.05, batch_size=25), seed=0)
    found = matches(scheme.reader().extract(stolen, pairs.images, JudgeView()), pairs)
    assert found > len(pairs.labels) // 2
    assert scheme.labels == DECLARED
    assert "No exact null" in scheme.note


def test_what_is_refused(owner: Owner) -> None:
    scheme = Dawn()
    commitment = scheme.commit(owner)
    marked = scheme.embed(owner, commitment)
    leaves = scheme.trigger_set(owner, commitment).images
    with pytest.raises(UsageError, match="key of this watermark cannot be asked"):
        scheme.reader().extract(marked.model, leaves, JudgeView())
    with pytest.raises(UsageError, match="does not hold 10 pairs"):
        scheme.commit_log(owner, marked)
    with pytest.raises(UsageError, match="not behind a service that logs"):
        scheme.logged(Marked(marked.model, 0.0))
    for wrong in ({"rate": 0.0}, {"rate": 0.6}, {"log": 5}):
        with pytest.raises(UsageError):
            Dawn(**wrong)
