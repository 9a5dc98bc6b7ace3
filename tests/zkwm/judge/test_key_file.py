"""A judge's key files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from zkwm.judge import key_file as judge_key_module
from zkwm.judge.key_file import JudgeKey, create_judge_key, open_judge_key, read_judge_public
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import Cost, seal_file
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError, VaultUnusable


def test_round_trip(tmp_path: Path, cheap: Cost, passphrase: str) -> None:
    path = tmp_path / "judge.key"
    key = create_judge_key(path, passphrase, cost=cheap)
    public = tmp_path / "judge.key.pub"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) & 0o022 == 0
    assert open_judge_key(path, passphrase) == key
    assert read_judge_public(public) == key.public
    assert len(list(tmp_path.iterdir())) == 2
    signature = open_judge_key(path, passphrase).signing.sign("challenge", bytes(32))
    key.public.signing.verify("challenge", bytes(32), signature)


def test_a_wrong_passphrase_is_refused(tmp_path: Path, cheap: Cost) -> None:
    create_judge_key(tmp_path / "k", "the right one", cost=cheap)
    with pytest.raises(VaultUnusable, match="wrong passphrase"):
        open_judge_key(tmp_path / "k", "wrong")


@pytest.mark.parametrize("existing", ["k", "k.pub"])
def test_existing_files_are_never_replaced(tmp_path: Path, cheap: Cost, existing: str) -> None:
    (tmp_path / existing).write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists"):
        create_judge_key(tmp_path / "k", "long enough", cost=cheap)
    assert [file.name for file in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_bytes() == b"precious"


def test_no_secret_key_is_left_where_the_public_one_cannot_be_written(
    tmp_path: Path, cheap: Cost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise CouldNotCheck("cannot write")

    monkeypatch.setattr(judge_key_module, "write_atomic", refuse)
    with pytest.raises(CouldNotCheck):
        create_judge_key(tmp_path / "k", "long enough", cost=cheap)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_passphrase_makes_nothing(tmp_path: Path, cheap: Cost) -> None:
    with pytest.raises(UsageError, match="empty"):
        create_judge_key(tmp_path / "k", "", cost=cheap)
    assert list(tmp_path.iterdir()) == []


def test_the_secret_file_is_not_taken_for_the_public_one_nor_the_reverse(
    tmp_path: Path, cheap: Cost
) -> None:
    create_judge_key(tmp_path / "k", "long enough", cost=cheap)
    with pytest.raises(Malformed, match="judge-key"):
        read_judge_public(tmp_path / "k")
    (tmp_path / "k.pub").chmod(0o600)
    with pytest.raises(Malformed, match="judge-public"):
        open_judge_key(tmp_path / "k.pub", "long enough")


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, cheap: Cost) -> None:
    create_judge_key(tmp_path / "k", "long enough", cost=cheap)
    (tmp_path / "k").chmod(0o644)
    with pytest.raises(VaultUnusable, match="other users"):
        open_judge_key(tmp_path / "k", "long enough")


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"signing": bytes(32)},
        {"signing": bytes(31), "box": bytes(32)},
        {"signing": bytes(32), "box": "long enough"},
        {"signing": bytes(32), "box": bytes(32), "more": 1},
    ],
)
def test_content_that_is_no_judges_key_is_malformed(
    tmp_path: Path, cheap: Cost, content: object
) -> None:
    path = tmp_path / "k"
    storage.write_private(
        path, seal_file("judge-key", "long enough", content, cheap), overwrite=False
    )
    with pytest.raises(Malformed):
        open_judge_key(path, "long enough")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "k"
    storage.write_private(path, b"zkwm-judge-key/1\n".ljust(5000), overwrite=False)
    with pytest.raises(Malformed, match="larger"):
        open_judge_key(path, "long enough")
    with pytest.raises(Malformed, match="larger"):
        read_judge_public(path)


def test_no_repr_shows_a_secret() -> None:
    key = JudgeKey.generate()
    for secret in (key.signing.to_bytes(), key.box.to_bytes()):
        assert secret.hex() not in repr(key)
        assert repr(secret)[2:-1] not in repr(key)
