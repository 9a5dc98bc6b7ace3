"""``zkwm dispute``: a case in a folder, its verdict, page, signed file and evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.argued import StandIn, save_linear
from tests.support.case_files import PASSPHRASE, Command, Files
from tests.support.court import Court
from tests.support.dispute import CHEAP
from tests.support.dispute_folder import DisputeFolder, Forger
from tests.support.html_page import Page
from tests.support.witnessed_log import POLICY
from zkwm.judge.judge import Judge
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.tree import TreeHead


@pytest.fixture(scope="module")
def forger() -> Forger:
    return Forger()


@pytest.fixture
def theft(tmp_path: Path, forger: Forger, quick_labels: None) -> DisputeFolder:
    """Doe's product has the marks of Acme, who is older, and of Doe."""
    folder = DisputeFolder(tmp_path, forger)
    acme = folder.party("acme", days=30)
    doe = folder.party("doe", days=3)
    folder.model("suspect", "doe", acme, doe, contested=True)
    folder.model("original", "acme", acme, published=20)
    folder.claim("acme", "suspect")
    folder.claim("doe", "suspect")
    folder.claim("doe", "original")
    Judge.create(tmp_path / "court.key", PASSPHRASE, cost=CHEAP)
    return folder


def test_a_dispute_ends_in_a_page_and_a_signed_verdict(zkwm: Command, theft: DisputeFolder) -> None:
    case, folder = theft.write(), theft.folder
    page, signed = folder / "dispute.html", folder / "dispute.verdict"
    done = zkwm(
        "dispute", case, "--report", page, "--verdict", signed, "--judge", folder / "court.key"
    )
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("SUPPORTED: the claim of Acme on suspect is supported")
    assert "28.4.1 A mark in one's own product proves nothing." in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 92
    text = page.read_text(encoding="utf-8")
    assert '<small class="in">in ' in text  # narrow screens have no row of models
    assert "Supported for Acme" in Page(text).text
    assert "http" not in text.split("</style>")[1].replace("https://hub.example", "")
    shown = zkwm("inspect", signed, "--judge", folder / "court.key.pub", "--json")
    assert shown.code == 0, shown.stderr
    verdict = shown.json["fields"]["verdict"]
    assert (verdict["outcome"], verdict["supported"]) == ("supported", "acme")
    report = [one for one in verdict["files"] if one["role"] == "report"]
    assert [one["name"] for one in report] == ["dispute.html"]
    other = zkwm("inspect", signed, "--judge", folder / "judge.key.pub")
    assert (other.code, "[dispute.judge]" in other.stderr) == (3, True)
    assert "UNVERIFIED" in zkwm("inspect", signed).stdout


def test_a_page_that_cannot_be_written_changes_no_outcome(
    zkwm: Command, theft: DisputeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("zkwm.disputes.page.render_dispute_page", fail)
    page, signed = theft.folder / "dispute.html", theft.folder / "dispute.verdict"
    judge = theft.folder / "court.key"
    done = zkwm(
        "dispute", theft.write(), "--report", page, "--verdict", signed, "--judge", judge, "--json"
    )
    assert (done.code, done.json["outcome"]) == (0, "supported")
    assert "the report was not written" in done.stderr
    assert "the verdict above stands" in done.stderr
    assert not page.exists()
    shown = zkwm("inspect", signed, "--judge", theft.folder / "court.key.pub", "--json")
    files = shown.json["fields"]["verdict"]["files"]
    assert "report" not in [one["role"] for one in files]


def test_the_outcome_is_the_exit_code(zkwm: Command, theft: DisputeFolder) -> None:
    done = zkwm("dispute", theft.write(), "--json")
    assert (done.code, done.json["rule"]) == (0, "28.6.1")
    standings = {(one["mark"], one["model"]): one["standing"] for one in done.json["claims"]}
    assert standings == {
        ("acme", "suspect"): "counts",
        ("doe", "suspect"): "own product",
        ("doe", "original"): "mark not found",
    }
    claims = theft.case["claims"]
    theft.case["claims"] = claims[1:]
    done = zkwm("dispute", theft.write(), "--json")
    assert (done.code, done.json["outcome"]) == (10, "not supported")
    theft.case["claims"] = [claims[0] | {"verdict": "missing.verdict"}]
    done = zkwm("dispute", theft.write(), "--json")
    assert (done.code, done.json["outcome"]) == (3, "could not be checked")
    theft.case["claims"] = claims[:1]
    del theft.case["trust"]
    done = zkwm("dispute", theft.write(), "--json")
    assert (done.code, done.json["outcome"]) == (4, "trust material missing")
    assert "--trust FOLDER" in done.stderr
    assert zkwm("dispute", theft.write(), "--trust", theft.folder / "trust").code == 0


def test_the_evidence_of_a_split_view_is_a_file(zkwm: Command, theft: DisputeFolder) -> None:
    theft.register("acme", 30)
    head = theft.log.tree.head()
    other = TreeHead(head.size, leaf_hash(b"another tree"))
    theft.saw(theft.log.checkpoint(head, 5), theft.log.checkpoint(other, 4))
    evidence, page = theft.folder / "log.equivocation", theft.folder / "dispute.html"
    done = zkwm("dispute", theft.write(), "--evidence", evidence, "--report", page)
    assert done.code == 0, done.stderr
    assert "signed two trees of size 1" in done.stdout
    Equivocation.from_bytes(evidence.read_bytes()).verify([log.key for log in POLICY.logs])
    assert "Evidence against logs" in page.read_text(encoding="utf-8")


def one_claim(model: str, evidence: dict[str, str]) -> dict[str, object]:
    """A case of one claim, without dates."""
    suspect = {"name": "suspect", "file": model, "published_by": "doe", "contested": "true"}
    return {
        "schema": "zkwm/dispute-case/v1",
        "title": "Acme v. Doe",
        "judges": ["judge.key.pub"],
        "parties": [{"name": "acme", "commitment": "acme.commitment"}],
        "models": [suspect],
        "claims": [{"mark": "acme", "model": "suspect", **evidence}],
    }


def test_an_archive_is_repeated(zkwm: Command, court: Court) -> None:
    """A whole case, its opened triggers packed: the mark is found without the judge's word."""
    court.decide()
    court.pack(triggers=True)
    case = one_claim("model.onnx", {"archive": "case.zip"})
    path = court.folder / "CASE.yaml"
    path.write_text(yaml.safe_dump(case), encoding="utf-8")
    done = zkwm("dispute", path, "--json")
    (claim,) = done.json["claims"]
    assert (done.code, claim["basis"], claim["outcome"]) == (4, "repeated", "proven")
    assert claim["standing"] == "no date"
    court.lie(lambda true: true)  # the same verdict, signed again: nothing differs
    court.change(proof=(court.folder / "case.proof").read_bytes() + b"x")
    done = zkwm("dispute", path, "--json")
    (claim,) = done.json["claims"]
    assert (done.code, claim["basis"]) == (3, "nothing")


@pytest.mark.slow
def test_an_argument_is_verified_again(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Challenge and proof are enough: nobody's word is taken, and no key is needed."""
    monkeypatch.setattr("zkwm_cli.proof_progress.kernels_are_cold", lambda: True)
    StandIn().install(monkeypatch)  # the argument's own bytes are tested elsewhere
    model, asked, proof = (case.folder / name for name in ("l.onnx", "a.challenge", "a.proof"))
    save_linear(model, *case.triggers())
    made = zkwm(
        *("challenge", "--commitment", case.commitment, "--model", model, "--zero-knowledge"),
        *("--blocks", 3, "--judge", case.public, "--output", asked),
    )
    assert made.code == 0, made.stderr
    options = case.prove_options(challenge=asked, output=proof)
    proved = zkwm(*options, "--zero-knowledge", "--model", model)
    assert proved.code == 0, proved.stderr
    path = case.folder / "CASE.yaml"
    written = one_claim("l.onnx", {"challenge": "a.challenge", "proof": "a.proof"})
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    (claim,) = zkwm("dispute", path, "--json").json["claims"]
    assert (claim["basis"], claim["outcome"]) == ("repeated", "proven")
    model.write_bytes(case.innocent.read_bytes())
    (claim,) = zkwm("dispute", path, "--json").json["claims"]
    assert (claim["basis"], claim["outcome"]) == ("nothing", "could not be checked")


def test_options_that_do_not_fit(zkwm: Command, theft: DisputeFolder) -> None:
    case = theft.write()
    assert zkwm("dispute", case, "--verdict", theft.folder / "d.verdict").code == 2
    assert zkwm("dispute", case, "--report", "-").code == 2
    assert zkwm("dispute", case, "--report", case).code == 2
    assert zkwm("dispute", theft.folder / "none.yaml").code == 3
    same = theft.folder / "same"
    assert zkwm("dispute", case, "--report", same, "--evidence", same).code == 2


def test_foreign_text_stays_text(zkwm: Command, theft: DisputeFolder) -> None:
    theft.case["title"] = "<script>alert(1)</script>"
    theft.case["parties"][0]["called"] = "</bdi><img src=x onerror=y>"
    page = theft.folder / "dispute.html"
    assert zkwm("dispute", theft.write(), "--report", page).code == 0
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    assert "default-src 'none'" in text
