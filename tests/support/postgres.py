"""A PostgreSQL server for tests, from Debian's packages, in a folder and on a socket of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

PASSWORD = "s3cret-of-the-database"
_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
_NOBODY = "nobody"


@dataclass
class Server:
    """A running server; ``database`` makes an empty place and returns its URL."""

    socket: Path
    number: Iterator[int] = field(default_factory=count)

    def database(self) -> str:
        """The URL of a new schema, which costs less than a database of its own."""
        schema = f"market{next(self.number)}"
        url = f"postgresql://desk:{PASSWORD}@/postgres?host={self.socket}"
        with psycopg.connect(url) as connection:
            connection.execute(f"CREATE SCHEMA {schema}".encode())
        return f"{url}&options=-csearch_path%3D{schema}"

    def own_database(self) -> str:
        """The URL of an empty database, for tools that see nothing of schemas: pg_dump's."""
        name = f"own{next(self.number)}"
        url = f"postgresql://desk:{PASSWORD}@/{{}}?host={self.socket}"
        with psycopg.connect(url.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return url.format(name)


def as_user() -> dict[str, Any]:
    """Whom the server runs as: it refuses root."""
    if os.getuid():
        return {}
    user = pwd.getpwnam(_NOBODY)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server until the block ends; skips where there is none."""
    if not (_PROGRAMS / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {_PROGRAMS}: apt install postgresql-15")
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="zkwm-pg-", dir=memory if memory.is_dir() else "/tmp"))
    who = as_user()
    if who:
        os.chown(folder, who["user"], who["group"])
    secret = folder / "password"
    secret.write_text(PASSWORD, encoding="ascii")
    if who:
        os.chown(secret, who["user"], who["group"])
    data = folder / "data"
    try:
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "--username=desk"]
        subprocess.run(
            [_PROGRAMS / "initdb", "-D", data, *options],
            check=True, capture_output=True, cwd="/", **who,
        )  # fmt: skip
        settings = ["fsync=off", "listen_addresses=", f"unix_socket_directories={folder}"]
        server = subprocess.Popen(
            [_PROGRAMS / "postgres", "-D", data, *(f"--{setting}" for setting in settings)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **who,
        )  # fmt: skip
        try:
            ready = [_PROGRAMS / "pg_isready", "-h", folder, "-t", "30"]
            for _ in range(300):
                if subprocess.run(ready, capture_output=True, check=False).returncode == 0:
                    break
                if server.poll() is not None:
                    pytest.fail("the PostgreSQL server ended at its start")
                time.sleep(0.1)
            yield Server(folder)
        finally:
            server.send_signal(signal.SIGQUIT)  # nothing is to be kept
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
