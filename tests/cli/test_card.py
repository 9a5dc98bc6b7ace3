"""card and find: a claim goes into a model's card, and whoever has the model compares it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from tests.support.case_files import Command, Files, save_lookup

CARD = "---\nlicense: mit  # mine\n---\n# A model\n"


@pytest.fixture
def folder(case: Files, tmp_path: Path) -> Path:
    """A model's folder with a card."""
    place = tmp_path / "published"
    place.mkdir()
    shutil.copy(case.model, place / "model.onnx")
    (place / "README.md").write_text(CARD)
    return place


def outcomes(found: dict[str, object]) -> list[tuple[str, str]]:
    """Subject and outcome of the comparisons of the only claim."""
    (claim,) = found["claims"]
    return [(one["subject"], one["outcome"]) for one in claim["comparisons"]]


def publish(zkwm: Command, case: Files, folder: Path, *options: object) -> None:
    """State in the folder's card that the commitment claims the model."""
    card = folder / "README.md"
    made = zkwm("card", folder, "--commitment", case.commitment, "--card", card, *options)
    assert made.code == 0, made.stderr


def test_from_card_to_find(zkwm: Command, case: Files, folder: Path) -> None:
    url = "https://example.org/acme.commitment"
    printed = zkwm("card", folder, "--commitment", case.commitment, "--url", url)
    publish(zkwm, case, folder, "--url", url)
    card = folder / "README.md"
    assert card.read_text() == CARD.replace("\n---\n#", f"\n{printed.stdout}---\n#")
    assert "proves nothing" in printed.stderr
    found = zkwm("find", folder, "--json")
    assert found.code == 0, found.stderr
    inspected = zkwm("inspect", case.commitment, "--json").json["fields"]
    claim = found.json["claims"][0]["claim"]
    assert claim["commitment"] == inspected["digest"]
    assert claim["owner"] == inspected["owner_keys"]
    digest = zkwm("inspect", folder, "--json").json["fields"]["digest"]
    assert [model["digest"] for model in claim["models"]] == [digest]
    assert outcomes(found.json) == [("model", "agrees"), ("commitment", "not checked")]
    text = zkwm("find", folder / "model.onnx").stdout
    assert f"get it from {url} (as the card states)" in text
    assert "anybody can write one" in text
    assert "not checked: whether the owner's fingerprint" in text
    assert ModelCard.load(card).data.to_dict()["license"] == "mit"


def test_a_network_of_ones_own_is_named_by_its_onnx_file(
    zkwm: Command, case: Files, folder: Path
) -> None:
    """Without config.json nothing says what network the weights are of."""
    (folder / "model.safetensors").write_bytes(b"weights")
    made = zkwm("card", folder, "--commitment", case.commitment, "--json")
    assert made.code == 0, made.stderr
    assert [one["file"] for one in made.json["claim"]["models"]] == ["model.onnx"]
    assert "model.safetensors is not named" in made.stderr


def test_a_commitment_beside_it_or_given(zkwm: Command, case: Files, folder: Path) -> None:
    publish(zkwm, case, folder)
    given = zkwm("find", folder, "--commitment", case.commitment, "--json")
    assert given.code == 0, given.stderr
    agreed = [("model", "agrees"), ("commitment", "agrees"), ("owner", "agrees")]
    assert outcomes(given.json) == agreed
    shutil.copy(case.commitment, folder)
    assert outcomes(zkwm("find", folder, "--json").json) == agreed


def test_another_model_is_not_the_one_of_the_card(zkwm: Command, case: Files, folder: Path) -> None:
    publish(zkwm, case, folder)
    images, labels = case.triggers()
    save_lookup(folder / "model.onnx", images, labels, factor=2.0)
    result = zkwm("find", folder, "--json")
    assert result.code == 3
    assert ("model", "differs") in outcomes(result.json)
    assert "names this model" in result.stderr
    shutil.copy(case.model, folder / "first.onnx")  # one model of the card, one that was changed
    result = zkwm("find", folder, "--json")
    assert result.code == 3
    assert outcomes(result.json)[:2] == [("model", "agrees"), ("model", "differs")]


def test_another_owner_than_the_card_names(zkwm: Command, case: Files, folder: Path) -> None:
    publish(zkwm, case, folder)
    card = folder / "README.md"
    owner = zkwm("inspect", case.commitment, "--json").json["fields"]["owner_keys"][0]
    card.write_text(card.read_text().replace(owner, "abcd" + owner[4:]))
    result = zkwm("find", folder, "--commitment", case.commitment, "--json")
    assert result.code == 3
    assert ("owner", "differs") in outcomes(result.json)


def test_a_commitment_whose_signature_does_not_verify(
    zkwm: Command, case: Files, folder: Path
) -> None:
    publish(zkwm, case, folder)
    data = case.commitment.read_bytes()
    from zkwm_protocols.commitment import Commitment

    signature = Commitment.from_bytes(data).signatures[0]
    place = data.index(signature)
    damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    (folder / "a.commitment").write_bytes(damaged)
    result = zkwm("find", folder, "--json")
    assert result.code == 3
    assert ("commitment", "differs") in outcomes(result.json)
    refused = zkwm("card", folder, "--commitment", folder / "a.commitment")
    assert (refused.code, refused.stdout) == (3, "")


def test_a_model_that_nobody_claims(zkwm: Command, case: Files, folder: Path) -> None:
    result = zkwm("find", folder)
    assert result.code == 3
    assert "no claim in" in result.stderr
    (folder / "README.md").unlink()
    result = zkwm("find", folder)
    assert result.code == 3
    assert "(--card)" in result.stderr


def test_cards_that_cannot_be_changed_stay(zkwm: Command, case: Files, folder: Path) -> None:
    card = folder / "README.md"
    for text in ("---\na: [\n---\n", "---\n{a: 1}\n---\n"):
        card.write_text(text)
        result = zkwm("card", folder, "--commitment", case.commitment, "--card", card)
        assert result.code in (2, 3)
        assert str(card) in result.stderr
        assert card.read_text() == text
    result = zkwm("card", folder, "--commitment", case.commitment, "--url", "https://a:b@c.org")
    assert result.code == 2
    assert "without name or password" in result.stderr
    new = folder / "NEW.md"
    assert zkwm("card", folder, "--commitment", case.commitment, "--card", new).code == 0
    assert zkwm("find", folder, "--card", new).code == 0
