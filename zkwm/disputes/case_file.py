"""The case of a dispute, as its judge writes it: parties, models, claims, files (SPEC.md 28.1).

What stands in it are the judge's own findings: who published which model when, and how they know.
The files that it names come from parties and strangers, and lie in the case's own folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from zkwm.disputes.case_yaml import read_yaml
from zkwm.files import read_limited
from zkwm.written_dates import read_date
from zkwm_protocols.dates import Published
from zkwm_protocols.errors import Malformed
from zkwm_protocols.fingerprints import read_fingerprint
from zkwm_protocols.schema import require_list, require_text
from zkwm_protocols.trust import require_name

SCHEMA = "zkwm/dispute-case/v1"
FILE_LIMIT = 1 << 20
MOST_PARTIES = 16
MOST_MODELS = 32
MOST_FILES = 1_000
MOST_TEXT = 200
_HINT = "docs/disputes.md shows how a case is written"
Value = TypeVar("Value")


@dataclass(frozen=True)
class Party:
    """Who claims: a short name, what they are called, their commitment, the key that is theirs."""

    name: str
    called: str
    commitment: Path
    key: str


@dataclass(frozen=True)
class Model:
    """A model of the case.

    Args:
        name: what the case calls it.
        file: where it lies; None for an endpoint.
        endpoint: its address, empty for a file.
        published_by: whose product it is: the name of a party, or of anybody else.
        published: when, and how the judge knows; None where nobody does.
        contested: whether the dispute is about it.
    """

    name: str
    file: Path | None
    endpoint: str
    published_by: str
    published: Published | None
    contested: bool


@dataclass(frozen=True)
class Claim:
    """A party says that its mark stands in a model, and shows it by one of three ways.

    Args:
        mark: the party.
        model: the model.
        files: either ``archive``, or ``verdict``, or ``challenge`` and ``proof``.
    """

    mark: str
    model: str
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Opening:
    """A challenge that was answered before by opening blocks, whoever asked.

    ``verdict`` is what its judge found, which dates the answer; None where it is not given.
    """

    challenge: Path
    proof: Path
    verdict: Path | None = None


@dataclass(frozen=True)
class DisputeCase:
    """A whole case; nothing but its own file was read."""

    title: str
    trust: Path | None
    judges: tuple[Path, ...]
    parties: tuple[Party, ...]
    models: tuple[Model, ...]
    claims: tuple[Claim, ...]
    earlier_openings: tuple[Opening, ...]
    statements: tuple[Path, ...]
    checkpoints: tuple[Path, ...]
    equivocations: tuple[Path, ...]


def read_case(path: str | Path) -> DisputeCase:
    """Read CASE.yaml; every file that it names lies in its folder.

    Raises Malformed for what is not of SPEC.md 28.1, CouldNotCheck where it cannot be read.
    """
    file = Path(path)
    data = read_limited(file, FILE_LIMIT, regular=True)
    try:
        return _Reading(file.resolve().parent).case(read_yaml(data))
    except Malformed as error:
        raise Malformed(f"{path}: {error.message}", hint=error.hint or _HINT) from None


class _Reading:
    """Reads the values of a case whose files lie in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def case(self, value: object) -> DisputeCase:
        """The whole case. Raises Malformed."""
        fields = _fields(
            value,
            "the case",
            "schema title parties models claims",
            "trust judges earlier_openings statements checkpoints equivocations",
        )
        if fields["schema"] != SCHEMA:
            raise Malformed(f"its schema is not {SCHEMA}")
        trust = fields.get("trust")
        case = DisputeCase(
            title=_text(fields["title"], "title"),
            trust=None if trust is None else self._path(trust),
            judges=self._paths(fields, "judges"),
            parties=tuple(self._party(one) for one in _list(fields["parties"], 1, MOST_PARTIES)),
            models=tuple(self._model(one) for one in _list(fields["models"], 1, MOST_MODELS)),
            claims=tuple(self._claim(one) for one in _list(fields["claims"], 1, MOST_FILES)),
            earlier_openings=tuple(
                self._opening(one) for one in _list(fields.get("earlier_openings", []), 0)
            ),
            statements=self._paths(fields, "statements"),
            checkpoints=self._paths(fields, "checkpoints"),
            equivocations=self._paths(fields, "equivocations"),
        )
        _require_names(case)
        return case

    def _party(self, value: object) -> Party:
        fields = _fields(value, "a party", "name commitment", "called key")
        name = require_name(_text(fields["name"], "name"))
        key = fields.get("key")
        return Party(
            name,
            _text(fields.get("called", name), "called"),
            self._path(fields["commitment"]),
            "" if key is None else read_fingerprint(_text(key, "key")),
        )

    def _model(self, value: object) -> Model:
        fields = _fields(
            value, "a model", "name published_by", "file endpoint published source contested"
        )
        name = require_name(_text(fields["name"], "name"))
        if ("file" in fields) == ("endpoint" in fields):
            raise Malformed(f"the model {name} has a file or an endpoint, one of both")
        if ("published" in fields) != ("source" in fields):
            raise Malformed(f"the model {name}: published and source go together")
        published = None
        if "published" in fields:
            interval = read_date(_text(fields["published"], "published"))
            published = Published(interval, _text(fields["source"], "source"))
        contested = fields.get("contested", "false")
        if contested not in ("true", "false"):
            raise Malformed(f"the model {name}: contested is true or false")
        return Model(
            name,
            self._path(fields["file"]) if "file" in fields else None,
            _text(fields["endpoint"], "endpoint") if "endpoint" in fields else "",
            _text(fields["published_by"], "published_by"),
            published,
            contested == "true",
        )

    def _claim(self, value: object) -> Claim:
        fields = _fields(value, "a claim", "mark model", "archive verdict challenge proof")
        given = {name: self._path(fields[name]) for name in fields if name not in ("mark", "model")}
        if set(given) not in ({"archive"}, {"verdict"}, {"challenge", "proof"}):
            raise Malformed(
                "a claim has an archive, or a verdict, or a challenge with its proof: one of these"
            )
        return Claim(_text(fields["mark"], "mark"), _text(fields["model"], "model"), given)

    def _opening(self, value: object) -> Opening:
        fields = _fields(value, "an earlier opening", "challenge proof", "verdict")
        given = {name: self._path(path) for name, path in fields.items()}
        return Opening(given["challenge"], given["proof"], given.get("verdict"))

    def _paths(self, fields: Mapping[str, Any], name: str) -> tuple[Path, ...]:
        return tuple(self._path(one) for one in _list(fields.get(name, []), 0))

    def _path(self, value: object) -> Path:
        """A file or folder inside of the case's folder, wherever links lead. Raises Malformed."""
        written = _text(value, "a file's name")
        try:
            path = (self._folder / written).resolve()
        except (OSError, ValueError, RuntimeError):
            path = self._folder
        inside = path.is_relative_to(self._folder) and path != self._folder
        if not inside or Path(written).is_absolute() or "\\" in written:
            raise Malformed(
                f"{written[:80]!r} is not in the case's folder",
                hint="put all files of the case into the folder of CASE.yaml, or below it",
            )
        return path


def _require_names(case: DisputeCase) -> None:
    """Raise Malformed for names that stand twice, or for what none of them names."""
    parties = [one.name for one in case.parties]
    models = [one.name for one in case.models]
    if len(set(parties)) < len(parties) or len(set(models)) < len(models):
        raise Malformed("two parties, or two models, have one name")
    if not any(one.contested for one in case.models):
        raise Malformed(
            "no model is contested", hint="write contested: true at the model of the dispute"
        )
    for claim in case.claims:
        if claim.mark not in parties or claim.model not in models:
            raise Malformed(
                f"the claim {claim.mark[:40]!r} on {claim.model[:40]!r} names no party or no model"
            )
    cells = [(claim.mark, claim.model) for claim in case.claims]
    if len(set(cells)) < len(cells):
        raise Malformed(
            "a mark is claimed twice in one model",
            hint="evidence is never added up: choose the verdict that counts before you know it",
        )


def _fields(value: object, what: str, needed: str, allowed: str) -> dict[str, Any]:
    """A map with all keys of ``needed`` and perhaps some of ``allowed``. Raises Malformed."""
    if not isinstance(value, dict):
        raise Malformed(f"{what} is a map of keys and values")
    must, may = set(needed.split()), set(allowed.split())
    for name in sorted(set(value) - must - may):
        raise Malformed(f"{what} has an unknown key {name[:40]!r}")
    for name in sorted(must - set(value)):
        raise Malformed(f"{what} has no key {name!r}")
    return value


def _list(value: object, least: int, most: int = MOST_FILES) -> list[Any]:
    return require_list(value, least, most)


def _text(value: object, what: str) -> str:
    """Printable text of 1 to 200 characters. Raises Malformed."""
    text = require_text(value, MOST_TEXT)
    if not text.strip():
        raise Malformed(f"{what} is empty")
    return text
