"""Names and limits in the protocol's text are those of the code.

A name that only one of both knows is a mistake in one of them.
"""

from __future__ import annotations

import re
from functools import cache

from tests.goldens.frozen import domain_strings
from tests.support.dispute import (
    Claimant,
    TableSuspect,
    asking,
    new_judge,
    random_images,
    verdict_of,
)
from tests.support.spec_pages import REGISTRY, ROOT, listed, table
from zkwm.json_schemas import schema_names
from zkwm.judge import key_file
from zkwm.judge.checks import ARGUMENT_TITLES, TITLES
from zkwm.transparency_log.tree_key import KeyKind
from zkwm_protocols import (
    challenge,
    commitment,
    dispute_verdict_file,
    response_file,
    trust,
    verdict_file,
)
from zkwm_protocols.argument import layout_choice, parameters
from zkwm_protocols.integer_network import codec
from zkwm_protocols.transparency import equivocation

OUTPUTS = ("Outputs of the command line",)
_CHECK_ID = re.compile(r"\"((?:argument|network|timestamp)\.[a-z_]+)\"")
_PREFIXES_OUTSIDE_OF_CONSTANTS = {"zkwm-label-seed1"}
"""A salt, which is no prefix by its form."""


@cache
def product() -> str:
    """The source of library and protocols."""
    files = [path for name in ("zkwm", "protocols") for path in (ROOT / name).rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_prefixes_types_and_schemas_of_code_and_registry() -> None:
    prefixes = set(listed(REGISTRY, "Domain prefixes"))
    others = {
        entry
        for heading in ("Types", "Schemas", *OUTPUTS, "Names outside of the protocol")
        for entry in listed(REGISTRY, heading)
    }
    assert prefixes & others == set()
    known = {*domain_strings(), *schema_names()}
    assert (prefixes | others) - _PREFIXES_OUTSIDE_OF_CONSTANTS == known
    assert {*listed(REGISTRY, "Schemas"), *listed(REGISTRY, *OUTPUTS)} >= set(schema_names())
    source = (ROOT / "protocols/zkwm_protocols/labels.py").read_text(encoding="utf-8")
    assert "zkwm-label-seed1" in source


def test_file_kinds_of_code_and_registry() -> None:
    code = product()
    packed = set(re.findall(r"\bpack\(\s*\"([a-z-]+)\"", code))
    packed |= set(re.findall(r"^KIND = \"([a-z-]+)\"", code, re.MULTILINE))
    packed |= set(KeyKind)
    assert packed == set(listed(REGISTRY, "File kinds"))


def test_checks_of_a_verdict_of_code_and_registry() -> None:
    checks = listed(REGISTRY, "Checks of a verdict")
    rows = table(REGISTRY, "Checks of a verdict")
    for column, titles in ((1, TITLES), (2, ARGUMENT_TITLES)):
        chosen = [check for check, row in zip(checks, rows, strict=True) if row[column] == "yes"]
        assert chosen == list(titles)
    assert set(checks) == set(TITLES) | set(ARGUMENT_TITLES)
    assert listed(ROOT / "spec/06-checks.md", "9.2 A response") == list(TITLES)


def test_checks_of_proofs_networks_and_timestamps_of_code_and_registry() -> None:
    code = product()
    tables = (
        "Checks of a proof",
        "Checks of a network",
        "Checks of a timestamp",
        "Checks of a verdict",
    )
    known = {check for heading in tables for check in listed(REGISTRY, heading)}
    assert set(_CHECK_ID.findall(code)) == {
        check for check in known if check.startswith(("argument.", "network.", "timestamp."))
    }


def test_streams_of_code_and_registry() -> None:
    """Purposes of key streams are spelled in the code as in the registry."""
    code = product()
    purposes = {
        purpose
        for row in table(REGISTRY, "Stream kinds")
        for purpose in re.findall(r"`([a-z ]+)`", re.sub(r"\([^)]*\)", "", row[1]))
    }
    assert purposes == {"row", "filter", "answers", "position", "wrong answers"}
    for purpose in purposes:
        assert f'"{purpose}"' in code
    calibration = (ROOT / "zkwm/quantizer/calibration.py").read_text(encoding="utf-8")
    assert 'b"colours"' in calibration
    assert "`colours`, `calibration`, `agreement`" in REGISTRY.read_text(encoding="utf-8")


def test_limits_of_files_in_code_and_registry() -> None:
    limits = {row[0].strip("`"): row[1] for row in table(REGISTRY, "File kinds") if "iB" in row[1]}
    units = {"KiB": 2**10, "MiB": 2**20}
    found = {kind: int(text.split()[0]) * units[text.split()[1]] for kind, text in limits.items()}
    assert found == {
        "commitment": commitment.FILE_LIMIT,
        "challenge": challenge.FILE_LIMIT,
        "proof": response_file.FILE_LIMIT,
        "judge-public": key_file.FILE_LIMIT,
        "network": codec.MAXIMUM_FILE,
        "verdict": verdict_file.FILE_LIMIT,
        "opened-triggers": response_file.FILE_LIMIT,
        "equivocation": equivocation.FILE_LIMIT,
        "trust": trust.FILE_LIMIT,
        "dispute-verdict": dispute_verdict_file.FILE_LIMIT,
    }


def test_keys_of_a_verdict_in_code_and_text() -> None:
    judge = new_judge()
    owner = Claimant(random_images(100))
    verdict = verdict_of(
        lambda: judge.verify(
            owner.commitment, TableSuspect(), asking(judge, owner.commitment), b"no proof"
        )
    )
    rows = table(ROOT / "spec/06-checks.md", "10.2 JSON")
    described = [key for row in rows for key in re.findall(r"`(\w+)`", row[0])]
    assert sorted(described) == sorted(verdict.to_json())


def test_limits_of_the_argument_in_code_and_text() -> None:
    text = (ROOT / "spec/09-argument.md").read_text(encoding="utf-8")
    for limit in (
        f"a <= {parameters.MAXIMUM_ROW_POSITIONS_LOG}",
        f"k <= {parameters.MAXIMUM_CODE_LOG}",
        f"R <= 2^{parameters.MAXIMUM_ROW_LENGTH.bit_length() - 1}",
        f"t <= {parameters.MAXIMUM_COLUMNS:,}",
        f"reject above 2^-{parameters.SOUNDNESS_BITS}",
        f"at most {parameters.MAXIMUM_PROOF_BYTES >> 20} MiB",
    ):
        assert limit in text, limit
    terms = listed(ROOT / "spec/09-argument.md", "17.9 Soundness")
    layout = layout_choice.choose_layout(triggers=2, cells=7698, lookups=4055, rows=233_743)
    assert terms == [term.name for term in layout.soundness()]


def test_operators_of_code_and_text() -> None:
    from zkwm.quantizer.constant_folding import FOLDED
    from zkwm.quantizer.translate import OPERATORS

    rows = table(ROOT / "spec/08-quantizer.md", "Refusals")
    described = [operator for row in rows for operator in re.findall(r"`(\w+)`", row[1])]
    assert sorted(described) == sorted({*OPERATORS, *FOLDED})


def test_only_known_modules_encode() -> None:
    """A module that encodes a map writes a format: it needs a rule in formats.cddl."""
    known = {
        "argument.proof", "argument.statement", "argument_response", "challenge", "class_names",
        "commitment", "dispute_verdict_file", "encoding", "integer_network.codec",
        "cose.contents", "cose.key_contents", "fingerprints", "keys", "opened_triggers", "opening",
        "response_file",
        "suspect_identity", "transparency.equivocation", "trust", "verdict_file",
            "extraction.keys", "owner.vault.high_water_mark", "secret_files.encrypted",
            "suspects.extraction_suspect",
        "suspects.onnx_parts", "suspects.safetensors_suspect",
        "judge.ledger", "judge.relearned",  # digests that stay in the judge's own file
    }  # fmt: skip
    found = set()
    for package in (ROOT / "protocols/zkwm_protocols", ROOT / "zkwm", ROOT / "cli/zkwm_cli"):
        for path in package.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            imported = re.search(r"from zkwm_protocols\.encoding import ([\w, ()\n]+)", text)
            if imported and re.search(r"\b(encode|pack)\b", imported[1]):
                found.add(".".join(path.relative_to(package).with_suffix("").parts))
    assert found <= known, "describe the new maps in formats.cddl and test_spec_formats.py"
