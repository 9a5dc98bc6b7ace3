"""What every attack needs: a judge, an honest owner of four blocks, cheap labels.

Each test tries one forgery and names the check, or the outcome, that must meet it. SPEC.md section
12 lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.dispute import (
    CHEAP,
    PASSPHRASE,
    Claimant,
    TableSuspect,
    TestJudge,
    marked,
    new_judge,
    random_images,
)
from tests.support.endpoint_dispute import NAMES, Serve
from tests.support.http_services import serving
from zkwm.judge.judge import Judge
from zkwm.owner.commit import commit
from zkwm.owner.vault import Vault
from zkwm_protocols.commitment import Commitment


@pytest.fixture(autouse=True)
def cheap_labels(quick_labels: None) -> None:
    """Every attack is tried with cheap seeds; the real one is a test of its own."""


@pytest.fixture(scope="session")
def judge() -> TestJudge:
    return new_judge()


@pytest.fixture(autouse=True)
def new_ledger(judge: TestJudge) -> None:
    """No test finds what another one asked."""
    judge.forget()


@pytest.fixture(scope="session")
def other_judge() -> Judge:
    return new_judge()


@pytest.fixture(scope="session")
def owner() -> Claimant:
    """200 images in four blocks of 50, ten classes, derived labels."""
    return Claimant(random_images(200))


@pytest.fixture(scope="session")
def named_owner() -> Claimant:
    """100 images, ten classes with names."""
    return Claimant(random_images(100), class_names=NAMES)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a service; returns its URL, in which all protocols that have rules find theirs."""
    path = "/predictions/v2/models/m"
    with ExitStack() as stack:
        yield lambda route: stack.enter_context(serving(route, path)).url


@pytest.fixture
def stolen_model(owner: Claimant) -> TableSuspect:
    """A model that carries the owner's mark."""
    return marked(owner.images, owner.labels, name="the adversary's")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """The vault of an owner who keeps to the rules."""
    return Vault.create(tmp_path / "owner.vault", PASSPHRASE, cost=CHEAP)


@pytest.fixture
def commitment(vault: Vault) -> Commitment:
    """The owner's commitment: four blocks of 50."""
    return commit(vault, random_images(200), class_count=10)


@pytest.fixture
def fingerprint(judge: Judge) -> str:
    return judge.public.fingerprint()
