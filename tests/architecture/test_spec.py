"""The protocol's text holds together: cited sections exist, links lead somewhere, names are known.

SPEC.md and the chapters under spec/ are normative; 102 modules cite their sections by number.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.goldens.frozen import domain_strings
from tests.support.dispute import (
    Accuser,
    TableSuspect,
    asking,
    new_judge,
    random_images,
    verdict_of,
)
from tests.support.spec_pages import (
    CHAPTERS,
    ENTRY,
    PAGES,
    REGISTRY,
    ROOT,
    SECTION,
    anchor,
    attacks,
    headings,
    lines,
    links,
    listed,
    name,
    normative_lines,
    prose,
    sections,
    table,
)
from zkwm.judge import key_file
from zkwm.judge.checks import ARGUMENT_TITLES, TITLES
from zkwm_protocols import challenge, commitment, response_file
from zkwm_protocols.argument import layout_choice, parameters
from zkwm_protocols.integer_network import codec

LONGEST_LINE = 300
FOLDERS = ("zkwm", "protocols", "cli", "tests", "examples", "benchmarks", "docs", "spec")
_CITED = re.compile(
    rf"SPEC(?:\.md)?,?(?: sections?)? ({SECTION}(?:(?:, and |, | and | to | or ){SECTION})*)(?!\w)"
)
_TWO_SENTENCES = re.compile(r"(?<!\bcf)(?<!e\.g)(?<!i\.e)[.!?][\"')\]*]* +[\"'(\[*]*[A-Z]")
_BRITISH = re.compile(
    r"colour|grey|centred|labell|normalis|quantis|personalis|look-up|arg-max|judgement|artefact",
    re.IGNORECASE,
)
_KEYWORD = re.compile(r"\b(MUST|SHOULD|MAY|REQUIRED|SHALL|RECOMMENDED|OPTIONAL)\b")
_CHECK_ID = re.compile(r"\"((?:argument|network)\.[a-z_]+)\"")
_PREFIXES_OUTSIDE_OF_CONSTANTS = {"zkwm-label-seed1", "zkwm-beacon-1"}
"""A salt, which is no prefix by its form, and a name that is reserved and used nowhere."""


@cache
def texts() -> dict[Path, str]:
    """Every source and document of the repository that can cite a section."""
    found = [path for path in ROOT.iterdir() if path.suffix in (".md", ".toml")]
    for folder in FOLDERS:
        for ending in ("py", "md", "html", "cddl"):
            found += (ROOT / folder).rglob(f"*.{ending}")
    small = [path for path in found if path.stat().st_size < 500_000]
    return {path: path.read_text(encoding="utf-8") for path in small}


def product() -> str:
    """The source of library and protocols."""
    folders = (ROOT / "zkwm", ROOT / "protocols")
    return "\n".join(
        text
        for path, text in texts().items()
        if path.suffix == ".py" and any(folder in path.parents for folder in folders)
    )


def cited(text: str) -> set[str]:
    """The sections that a text cites as ``SPEC.md 17.3``, alone or in a list."""
    flat = re.sub(r"\s*\n\s*(?:#+ )?", " ", text)
    return {number for found in _CITED.findall(flat) for number in re.findall(SECTION, found)}


def test_how_citations_are_read() -> None:
    assert cited("(SPEC.md 9.2, 18.3), in order") == {"9.2", "18.3"}
    assert cited("SPEC.md sections 16.4, 18.1 and\n    18.5. More") == {"16.4", "18.1", "18.5"}
    assert cited("SPEC 17.3; SPEC.md 8.2 charges 48 bits, SPEC.md 17.3, item 2") == {"17.3", "8.2"}


def test_every_cited_section_exists() -> None:
    known = sections()
    missing = {
        f"{path.relative_to(ROOT)}: {number}"
        for path, text in texts().items()
        for number in cited(text)
        if number not in known
    }
    assert missing == set()


def test_citations_are_found_at_all() -> None:
    citing = [path for path, text in texts().items() if path.suffix == ".py" and cited(text)]
    assert len(citing) > 80


def test_sections_that_the_reference_names_exist() -> None:
    known = sections()
    for path in (ROOT / "tests/reference").glob("*.py"):
        flat = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
        for before, number in re.findall(rf"(.{{0,24}})[Ss]ections? ({SECTION})", flat):
            assert number in known or "RFC" in before, f"{path.name}: section {number}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_sections_that_pages_name_exist(page: Path) -> None:
    known = sections()
    for number, line in lines(page):
        if "RFC" in line or "FIPS" in line:
            continue
        named = re.findall(rf"\bsections? ({SECTION})\b", line)
        named += re.findall(r"\(((?:[4-9]|1\d)\.\d{1,2})[),;]", line)
        assert set(named) <= set(known), f"line {number}"


def test_the_list_of_sections_is_complete() -> None:
    """Every section, in order, with a link to its very heading."""
    rows = table(ENTRY, "Where each section is")
    known = sections()
    order = sorted(known, key=lambda number: [int(part) for part in number.split(".")])
    assert [row[0] for row in rows] == [known[number][1] for number in order]
    for (heading, link), number in zip(rows, order, strict=True):
        page = known[number][0]
        target = f"{'' if page == ENTRY else name(page)}#{anchor(heading)}"
        assert link.endswith(f"]({target})"), heading


def test_links_resolve() -> None:
    """Links of these pages, and links of other documents to them."""
    documents = [path for path in texts() if path.suffix == ".md"]
    pages = set(PAGES)
    for document in documents:
        for link in links(document):
            path, _, fragment = link.partition("#")
            target = (document.parent / path).resolve() if path else document
            if document in pages:
                assert target.exists(), f"{name(document)}: {link}"
            if fragment and target in pages:
                known = {anchor(heading) for heading in headings(target)}
                assert fragment in known, f"{name(document)}: {link}"


def test_how_sentences_are_told_apart() -> None:
    for two in ("A b. C d.", "A b? C d.", "(A b.) C d.", "**A b.** C d.", 'It says "a." B c.'):
        assert _TWO_SENTENCES.search(two), two
    for one in ("A b; c d.", "By RFC 8032, e.g. Ed25519.", "Lund et al., degree 3.", "code: A b."):
        assert not _TWO_SENTENCES.search(one), one


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_american_spelling(page: Path) -> None:
    for number, line in lines(page):
        words = re.sub(r"`[^`]*`", "code", line)
        assert not _BRITISH.search(words), f"line {number}: {words[:80]}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_one_sentence_a_line(page: Path) -> None:
    for number, line in prose(page):
        assert not _TWO_SENTENCES.search(line), f"line {number} has two sentences: {line[:80]}"
        assert len(line) <= LONGEST_LINE, f"line {number} has {len(line)} characters"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_key_words_stand_in_normative_parts_only(page: Path) -> None:
    normative = {number for number, _ in normative_lines(page)}
    for number, line in lines(page):
        assert number in normative or not _KEYWORD.search(line), f"line {number}: {line[:80]}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_gendered_owner_or_judge(page: Path) -> None:
    text = "\n".join(line for _, line in lines(page))
    assert re.findall(r"\b(he|him|his|himself|she|her)\b", text, re.IGNORECASE) == []


@pytest.mark.parametrize("page", CHAPTERS, ids=name)
def test_tests_that_chapters_name_exist(page: Path) -> None:
    """Each attack names a test: one of tests/adversarial by its short name, others by path."""
    for row in attacks(page):
        tests = re.findall(r"`([a-z_]+)`", row[2])
        paths = [f"tests/adversarial/test_{test}.py" for test in tests]
        paths += re.findall(r"tests/[\w/]+\.py", row[2])
        assert paths, f"no test against: {row[0]}"
        for path in paths:
            assert (ROOT / path).exists(), path


def test_every_adversarial_test_is_named() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path in (ROOT / "tests/adversarial").glob("test_*.py"):
        assert f"`{path.stem.removeprefix('test_')}`" in text, path.name


def test_prefixes_types_and_schemas_of_code_and_registry() -> None:
    prefixes = set(listed(REGISTRY, "Domain prefixes"))
    others = {
        entry
        for heading in ("Types", "Schemas", "Names outside of the protocol")
        for entry in listed(REGISTRY, heading)
    }
    assert prefixes & others == set()
    assert (prefixes | others) - _PREFIXES_OUTSIDE_OF_CONSTANTS == set(domain_strings())
    source = (ROOT / "protocols/zkwm_protocols/labels.py").read_text(encoding="utf-8")
    assert "zkwm-label-seed1" in source


def test_file_kinds_of_code_and_registry() -> None:
    code = product()
    packed = set(re.findall(r"\bpack\(\s*\"([a-z-]+)\"", code))
    packed |= set(re.findall(r"^KIND = \"([a-z-]+)\"", code, re.MULTILINE))
    assert packed == set(listed(REGISTRY, "File kinds"))


def test_checks_of_a_verdict_of_code_and_registry() -> None:
    checks = listed(REGISTRY, "Checks of a verdict")
    rows = table(REGISTRY, "Checks of a verdict")
    for column, titles in ((1, TITLES), (2, ARGUMENT_TITLES)):
        chosen = [check for check, row in zip(checks, rows, strict=True) if row[column] == "yes"]
        assert chosen == list(titles)
    assert set(checks) == set(TITLES) | set(ARGUMENT_TITLES)
    assert listed(ROOT / "spec/06-checks.md", "9.2 A response") == list(TITLES)


def test_checks_of_proofs_and_networks_of_code_and_registry() -> None:
    code = product()
    tables = ("Checks of a proof", "Checks of a network", "Checks of a verdict")
    known = {check for heading in tables for check in listed(REGISTRY, heading)}
    assert set(_CHECK_ID.findall(code)) == {
        check for check in known if check.startswith(("argument.", "network."))
    }


def test_streams_of_code_and_registry() -> None:
    """Purposes of key streams are spelled in the code as in the registry."""
    code = product()
    purposes = {
        purpose
        for row in table(REGISTRY, "Stream kinds")
        for purpose in re.findall(r"`([a-z ]+)`", re.sub(r"\([^)]*\)", "", row[1]))
    }
    assert purposes == {"row", "answers", "position", "wrong answers"}
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
    }


def test_keys_of_a_verdict_in_code_and_text() -> None:
    judge = new_judge()
    owner = Accuser(random_images(100))
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
    from zkwm.quantizer import translate

    rows = table(ROOT / "spec/08-quantizer.md", "Refusals")
    described = [operator for row in rows for operator in re.findall(r"`(\w+)`", row[1])]
    # the table of translations is private: nothing but the text needs all names at once
    assert sorted(described) == sorted(translate._OPERATORS)


def test_only_known_modules_encode() -> None:
    """A module that encodes a map writes a format: it needs a rule in formats.cddl."""
    known = {
        "argument.proof", "argument.statement", "argument_response", "challenge", "commitment",
        "encoding", "integer_network.codec", "keys", "opening", "response_file",
        "extraction.keys", "secret_files.encrypted", "suspects.extraction_suspect",
        "suspects.safetensors_suspect",
    }  # fmt: skip
    found = set()
    for package in (ROOT / "protocols/zkwm_protocols", ROOT / "zkwm", ROOT / "cli/zkwm_cli"):
        for path in package.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            imported = re.search(r"from zkwm_protocols\.encoding import ([\w, ()\n]+)", text)
            if imported and re.search(r"\b(encode|pack)\b", imported[1]):
                found.add(".".join(path.relative_to(package).with_suffix("").parts))
    assert found <= known, "describe the new maps in formats.cddl and test_spec_formats.py"
