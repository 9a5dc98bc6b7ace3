"""A registry that is served in a thread of the test's process, and those who call it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from tests.support.dispute import Claimant, TestJudge
from tests.support.faulty_disk import FaultyDisk
from tests.support.log_server import KEY
from tests.support.running_server import running
from zkwm.registry_database.database import Database
from zkwm.registry_service.api_keys import ApiKeys, Scope
from zkwm.registry_service.application import application
from zkwm.registry_service.callers import by_key, known_reader
from zkwm.registry_service.folder import open_database
from zkwm.registry_service.pages.database_view import DatabaseView
from zkwm.registry_service.pages.page_frame import Pages, PagesSettings
from zkwm.registry_service.pages.visitors import Visitors
from zkwm.registry_service.registry import Registry
from zkwm.registry_service.webhooks import webhook_key
from zkwm.sql_database import DatabaseLocation
from zkwm.transparency_log.admission import Admission, Rate, by_address
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.log_service import LogService
from zkwm.transparency_log.readers import Readers
from zkwm.transparency_log.recovery import create_log, open_log
from zkwm.transparency_log.sequencer import Sequencer
from zkwm.transparency_log.statements import CoseStatements, read_statement
from zkwm_protocols.cose.contents import CommitmentStatement, VerdictStatement
from zkwm_protocols.cose.statement import Content, sign_statement
from zkwm_protocols.keys import SigningKey

EVERY_SCOPE = tuple(Scope)


@dataclass
class Answer:
    """What the registry answered."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Caller:
    """Somebody who calls with a key, or without one."""

    url: str
    key: str = ""
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def get(self, path: str) -> Answer:
        """Read."""
        return self.send("GET", path)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """Write: bytes as they are, everything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, data, **headers)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request."""
        own = {"authorization": f"Bearer {self.key}"} if self.key else {}
        got = self.pool.request(method, f"{self.url}{path}", body=body, headers=own | headers)
        found = {name.lower(): value for name, value in got.headers.items()}
        if got.status >= 400 and method != "HEAD":
            assert found["content-type"] == "application/problem+json", (path, got.data)
            problem = json.loads(got.data)
            assert problem["status"] == got.status
            assert problem["title"]
            assert problem["detail"]
        return Answer(got.status, got.data, found)


@dataclass
class Served:
    """A running registry."""

    url: str
    registry: Registry

    @property
    def database(self) -> Database:
        """Its database."""
        return self.registry.database

    def caller(self, holder: str = "", *scopes: Scope, per_minute: int = 10_000) -> Caller:
        """Somebody with a new key of a holder, with all scopes unless some are named."""
        if not holder:
            return Caller(self.url)
        wanted = scopes or EVERY_SCOPE
        return Caller(self.url, ApiKeys(self.database).add(holder, wanted, per_minute)[1])


@contextmanager
def served_registry(
    folder: Path,
    location: DatabaseLocation,
    judges: tuple[TestJudge, ...],
    reads: int | None = None,
) -> Iterator[Served]:
    """A new registry: its log in ``folder``, its database at ``location``.

    ``reads`` is how much an address may read in a minute, without end by default.
    """
    folder.mkdir(exist_ok=True)
    log_database, database = LogDatabase(folder / "database.sqlite"), open_database(location)
    disk = FaultyDisk()
    try:
        create_log(folder, KEY, log_database, disk)
        with open_log(folder, KEY, log_database, read_statement, disk) as log:
            sequencer = Sequencer(log)
            service = LogService(
                log,
                KEY.verifiers,
                sequencer,
                CoseStatements(KEY),
                lambda: None,
                Admission(folder, by_key(ApiKeys(database), by_address()), Rate(10**6)),
                reads and Readers(per_minute=reads, known=known_reader(ApiKeys(database))),
            )
            registry = Registry(
                database,
                service,
                tuple(one.key.public for one in judges),
                webhook_key(KEY).public,
            )
            try:
                view = DatabaseView(database, log, KEY.verifiers, None, registry.judges)
                pages = Pages(view, PagesSettings("registry of tests"), Visitors(per_minute=10**6))
                with running(application(registry, pages=pages)) as url:
                    yield Served(url, registry)
            finally:
                sequencer.close()
                service.close()
    finally:
        database.close()
        log_database.close()


def registration(owner: Claimant, key: SigningKey | None = None) -> dict[str, str]:
    """What registers a commitment, its statement signed by its owner, or by another key."""
    stated = statement(CommitmentStatement(owner.commitment.digest), key or owner.keys[0])
    return {"commitment": text(owner.commitment.to_bytes()), "statement": text(stated)}


def verdict(judge: TestJudge, owner: Claimant, file: bytes, digest: bytes) -> dict[str, str]:
    """What hands in a verdict, with its judge's statement of its digest."""
    stated = statement(VerdictStatement(owner.commitment.digest, digest), judge.key.signing)
    return {"verdict": text(file), "statement": text(stated)}


def statement(content: Content, key: SigningKey) -> bytes:
    """A signed statement."""
    return sign_statement(content, key).to_bytes()


def text(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode("ascii")
