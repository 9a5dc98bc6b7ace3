"""A log of statements with two witnesses, as others run them, in threads of the test's process."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from tests.support.faulty_disk import FaultyDisk
from tests.support.running_server import running
from zkwm.transparency_log import asked_witnesses
from zkwm.transparency_log.admission import Admission, Rate
from zkwm.transparency_log.cosigning import Cosigner
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.log import Log
from zkwm.transparency_log.log_service import LogService, application
from zkwm.transparency_log.recovery import create_log, open_log
from zkwm.transparency_log.sequencer import Sequencer
from zkwm.transparency_log.statements import CoseStatements, read_statement
from zkwm.transparency_log.tree_key import KeyKind, TreeKey
from zkwm.transparency_log.witness import Witness
from zkwm.transparency_log.witness_service import witness_application
from zkwm.transparency_log.witness_state import WitnessState
from zkwm_protocols.transparency.policy import LogPolicy

ORIGIN = "log.example/2026"
KEY = TreeKey.generate(KeyKind.LOG, ORIGIN)
TIME = 1_780_000_000.0
"""What the witnesses' clocks say: 28 May 2026, so that models can be published later."""
WITNESS_KEYS = [
    TreeKey(KeyKind.WITNESS, f"{name}.example", (secrets.token_bytes(32),) * 2, lambda: TIME)
    for name in ("one", "two")
]


@dataclass
class PublicLog:
    """A running log: its address, the log itself, and the policy of whoever trusts it."""

    url: str
    log: Log
    policy: bytes


def policy_text(urls: list[str], *, quorum: str = "both") -> bytes:
    """Both keys of the log, the Ed25519 keys of the witnesses, and a quorum of both."""
    lines = [f"log {key.to_text()}" for key in KEY.verifiers]
    for number, (key, url) in enumerate(zip(WITNESS_KEYS, urls, strict=True)):
        lines.append(f"witness w{number} {key.verifiers[0].to_text()} {url}".rstrip())
    return "\n".join([*lines, "group both all w0 w1", f"quorum {quorum}", ""]).encode()


@contextmanager
def public_log(folder: Path, *, witnesses: bool = True) -> Iterator[PublicLog]:
    """A log in ``folder``; without ``witnesses`` none of them answers."""
    database = LogDatabase(folder / "database.sqlite")
    with ExitStack() as stack:
        past = SimpleNamespace(time=lambda: TIME)  # the log's operator lives when its witnesses do
        stack.enter_context(patch.object(asked_witnesses, "time", past))
        stack.callback(database.close)
        urls = []
        for number, key in enumerate(WITNESS_KEYS):
            state = WitnessState(folder / f"witness{number}.sqlite")
            stack.callback(state.close)
            app = witness_application(Witness(key, {ORIGIN: KEY.verifiers}, state))
            urls.append(stack.enter_context(running(app)))
        create_log(folder, KEY, database, FaultyDisk())
        log = stack.enter_context(open_log(folder, KEY, database, read_statement, FaultyDisk()))
        policy = policy_text(urls)
        cosigner = Cosigner(log, LogPolicy.from_bytes(policy) if witnesses else None)
        cosigner.require_newest()
        sequencer = Sequencer(log)
        stack.callback(sequencer.close)
        service = LogService(
            log, KEY.verifiers, sequencer, CoseStatements(KEY), lambda: cosigner.witnessed,
            Admission(folder, rate=Rate(10**6)),
        )  # fmt: skip
        stack.callback(service.close)
        stack.enter_context(cosigner.running())
        yield PublicLog(stack.enter_context(running(application(service))), log, policy)
