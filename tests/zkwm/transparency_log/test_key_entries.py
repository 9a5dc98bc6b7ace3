"""All that a log has about a key: by its index, or by reading every entry, which none escapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.logs import memory_folder
from tests.support.statements import ED_KEY, P256_KEY, D
from tests.support.witnessed_service import LOG, WitnessedService, witnessed_service
from zkwm.transparency_log.client import LogClient
from zkwm.transparency_log.key_entries import find_about_key
from zkwm.transparency_log.seen_checkpoints import SeenCheckpoints, TwoTreesError
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, RevocationReason
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.errors import CouldNotCheck, InvalidLogProof, Malformed
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.tiles import ENTRIES, Tile
from zkwm_protocols.transparency.tree import TreeHead

OWN, OTHER = ED_KEY.public.fingerprint(), P256_KEY.public.fingerprint()
BOUND = sign_statement(KeyBinding(OWN, "ACME Ltd", (), D), ED_KEY)
LOST = sign_statement(KeyRevocation(OWN, 9, RevocationReason.LOST), ED_KEY)
FOREIGN = sign_statement(KeyBinding(OTHER, "Doe", (), D), P256_KEY)
ABOUT_D = sign_statement(CommitmentStatement(D), ED_KEY)


@pytest.fixture(scope="module")
def service() -> Iterator[WitnessedService]:
    """A log with two statements about the key among others."""
    with memory_folder() as folder, witnessed_service(folder) as running:
        client = LogClient(running.url, LogPolicy.from_bytes(running.policy.encode()))
        for one in (ABOUT_D, BOUND, FOREIGN, LOST):
            client.register(one.to_bytes(), wait_seconds=30)
        client.close()
        yield running


class AskedLog(LogClient):
    """A client of the log, with what a lying log would answer."""

    def __init__(self, service: WitnessedService, seen: SeenCheckpoints | None = None) -> None:
        super().__init__(service.url, LogPolicy.from_bytes(service.policy.encode()), seen)
        self.hidden: tuple[int, ...] = ()
        self.swapped: tuple[bytes, bytes] = (b"", b"")

    def listed(self, digest: bytes) -> list[int]:
        return [one for one in super().listed(digest) if one not in self.hidden]

    def tile(self, tile: Tile) -> bytes:
        return (
            super().tile(tile).replace(*self.swapped)
            if tile.level == ENTRIES
            else super().tile(tile)
        )


@pytest.fixture
def asked(service: WitnessedService) -> Iterator[AskedLog]:
    client = AskedLog(service)
    yield client
    client.close()


@pytest.mark.parametrize("whole", [False, True])
def test_all_statements_about_a_key_are_found_and_no_others(
    asked: AskedLog, service: WitnessedService, whole: bool
) -> None:
    policy = LogPolicy.from_bytes(service.policy.encode())
    found = find_about_key(asked, OWN, whole=whole)
    assert [one.statement for one in found.statements] == [BOUND, LOST]
    assert [one.proof.index for one in found.statements] == [1, 3]
    assert (found.log, found.size, found.later, found.whole) == (LOG.origin, 4, 0, whole)
    for one in found.statements:
        assert policy.reached_at(one.verify(policy)) is not None
    nobody = "-".join(["aaaa"] * 8)
    assert find_about_key(asked, nobody, whole=whole).statements == ()


def test_an_index_that_hides_a_revocation_is_found_out_by_reading_all(asked: AskedLog) -> None:
    asked.hidden = (3,)
    assert [one.statement for one in find_about_key(asked, OWN).statements] == [BOUND]
    assert len(find_about_key(asked, OWN, whole=True).statements) == 2


@pytest.mark.parametrize("whole", [False, True])
def test_an_altered_or_exchanged_entry_is_refused(asked: AskedLog, whole: bool) -> None:
    """Its name made unreadable hides it from whoever reads all, and then the root is another."""
    other = sign_statement(KeyRevocation(OWN, 8, RevocationReason.LOST), ED_KEY)
    assert len(other.to_bytes()) == len(LOST.to_bytes())
    asked.swapped = (LOST.to_bytes(), other.to_bytes())
    with pytest.raises(InvalidLogProof):
        find_about_key(asked, OWN, whole=whole)
    asked.swapped = (OWN.encode(), OTHER.encode())
    if whole:
        with pytest.raises(InvalidLogProof, match="not those of the tree"):
            find_about_key(asked, OWN, whole=True)
    else:
        assert find_about_key(asked, OWN).statements == ()


def test_a_second_tree_is_evidence(service: WitnessedService, tmp_path: Path) -> None:
    """Somebody saw another tree of this size before."""
    other = LOG.sign(TreeHead(4, leaf_hash(b"another tree")))
    seen = SeenCheckpoints(tmp_path)
    seen.compare(other, LOG.verifiers, lambda _, __: [])
    client = AskedLog(service, seen)
    with pytest.raises(TwoTreesError, match="two different trees"):
        find_about_key(client, OWN)
    client.close()
    assert list(tmp_path.glob("*.equivocation"))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b'{"entries": []}', b'{"entries": [{}], "after": null}',
        b'{"entries": [{"index": 1}, {"index": 1}], "after": null}',
        b'{"entries": [{"index": -1}], "after": null}', b'{"entries": [], "after": -1}',
        b'{"entries": [{"index": 2}, {"index": 1}], "after": null}',
    ],
)  # fmt: skip
def test_an_index_that_is_none_is_refused(
    asked: AskedLog, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    from zkwm.transparency_log.http_client import Answer

    monkeypatch.setattr(asked, "_ask", lambda *_, **__: Answer(200, "", content))
    with pytest.raises(Malformed):
        LogClient.listed(asked, D)


def test_pages_without_end_are_left(asked: AskedLog, monkeypatch: pytest.MonkeyPatch) -> None:
    from zkwm.transparency_log.http_client import Answer

    pages = iter(range(10**6))

    def answer(*_: object, **__: object) -> Answer:
        start = 5_000 * next(pages)
        rows = ",".join(f'{{"index": {start + number}}}' for number in range(5_000))
        return Answer(200, "", f'{{"entries": [{rows}], "after": {start + 4_999}}}'.encode())

    monkeypatch.setattr(asked, "_ask", answer)
    with pytest.raises(Malformed, match="without end"):
        LogClient.listed(asked, D)


def test_a_log_that_is_not_there(service: WitnessedService) -> None:
    client = LogClient("http://127.0.0.1:9", LogPolicy.from_bytes(service.policy.encode()))
    with pytest.raises(CouldNotCheck):
        find_about_key(client, OWN)
