"""Which statements a service logs for workers: verdicts of judges whom it trusts, nothing else."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispute import new_judge
from tests.support.registry_server import statement, text
from zkwm.registry_service.jobs import Job
from zkwm.registry_service.logged_verdicts import logging_verdicts
from zkwm.registry_service.verdict_jobs import LOGGED_VERDICT
from zkwm_protocols.cose.contents import CommitmentStatement, VerdictStatement
from zkwm_protocols.errors import UsageError

JUDGE, OTHER = new_judge(), new_judge()
VERDICT, COMMITMENT = VerdictStatement(bytes(32), bytes(32)), CommitmentStatement(bytes(32))


@pytest.mark.parametrize(
    "stated",
    [statement(VERDICT, OTHER.key.signing), statement(COMMITMENT, JUDGE.key.signing)],
    ids=["of a judge whom it does not trust", "of something else"],
)
def test_a_worker_has_nothing_else_logged(stated: bytes, tmp_path: Path) -> None:
    log: Any = None  # it is not asked
    append = logging_verdicts(log, tmp_path, (JUDGE.key.public,))
    with pytest.raises(UsageError, match="no statement of a verdict by a judge"):
        append(Job(1, LOGGED_VERDICT, {"statement": text(stated)}, 1), threading.Event())
