"""Which file is what to a case, by its content; what is not recognized is not packed.

Secrets are refused by their kind, and no file is taken on its name alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from zkwm.case_archive.documents import in_files, is_about_owner
from zkwm.case_archive.manifest import ArchiveRole
from zkwm.data.labeled_images import load_test_data
from zkwm.files import read_limited
from zkwm.judge.task_accuracy import drawn_images
from zkwm.suspects.model_digests import model_digests
from zkwm.suspects.preprocessor_config import read_preprocessor_config
from zkwm.trust_folder import is_trust_folder, read_trust
from zkwm_protocols import response_file
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.errors import UsageError, ZkwmError

FILE_LIMIT = response_file.FILE_LIMIT
_KINDS = {
    "commitment": ArchiveRole.COMMITMENT,
    "challenge": ArchiveRole.CHALLENGE,
    "proof": ArchiveRole.PROOF,
    "verdict": ArchiveRole.VERDICT,
    "judge-public": ArchiveRole.JUDGE_PUBLIC,
    "trust": ArchiveRole.TRUST,
}
_SECRET = ("vault", "vault-mark", "judge-key", "log-key", "witness-key", "opened-triggers")
_FIRST_LINE = re.compile(rb"zkwm-([a-z-]+)/\d+\n")
_PAGES = (".html", ".htm", ".pdf")
_PICTURE = b"data:image/"
LOGGED = ".tlog-proof"
_KNOWN = (
    "a case has commitment, challenge, proof, verdict, judge.key.pub, the model, reports (.html), "
    "the endpoint's template, a preprocessor_config.json, the challenge's test data (.npz), "
    "logged statements about the owner's keys (.tlog-proof), and the judge's trust folder"
)


def is_model(path: Path) -> bool:
    """Whether this names a model in files: a folder but a trust folder, .onnx or .safetensors."""
    if is_trust_folder(path):
        return False
    return path.is_dir() or path.suffix.lower() in (".onnx", ".safetensors")


def document_role(path: Path, data: bytes) -> ArchiveRole | None:
    """The role of a zkwm file; None for any other. Raises UsageError for a secret."""
    first = _FIRST_LINE.match(data)
    kind = "" if first is None else first[1].decode()
    if kind in _SECRET:
        raise UsageError(
            f"{path} is secret (a {kind}), and nothing secret goes into an archive",
            hint="leave it out; `triggers`, with the judge's key, packs what was opened to them",
        )
    if kind and kind not in _KINDS:
        raise UsageError(
            f"{path} is a {kind}, which no archive needs", hint=f"leave it out; {_KNOWN}"
        )
    return _KINDS.get(kind)


def other_role(path: Path, data: bytes, challenge: Challenge, *, triggers: bool) -> ArchiveRole:
    """The role of a file that is no document of zkwm.

    Args:
        path: the file.
        data: its content.
        challenge: of the case; template and test data are those whose digests it names.
        triggers: whether opened triggers may go into the archive, which reports may show.

    Raises UsageError for a file that is not recognized, or may show triggers unasked.
    """
    suffix = path.suffix.lower()
    if suffix == LOGGED:
        return _statement(path, data)
    if suffix in _PAGES:
        if not triggers and (suffix == ".pdf" or _PICTURE in data):
            raise UsageError(
                f"{path} shows pictures, or may: opened triggers are packed on request only",
                hint="give the report without triggers, or pack them, too (`triggers`)",
            )
        return ArchiveRole.REPORT
    if suffix == ".json" and _is_object(data):
        if _is_template(data, challenge):
            return ArchiveRole.TEMPLATE
        try:
            read_preprocessor_config(path, challenge.suspect.shape, challenge.preprocessing.layout)
        except ZkwmError as error:
            raise _unknown(path, error.message) from None
        return ArchiveRole.PREPROCESSING
    if suffix == ".npz":
        return _test_data(path, challenge)
    raise _unknown(path, "it is not recognized")


def suspect_files(path: Path, challenge: Challenge) -> dict[str, bytes]:
    """The files of the challenge's suspect at ``path``, by name; other models there are left out.

    Raises UsageError where no model there is the one that the challenge names.
    """
    suspect = challenge.suspect
    if not in_files(suspect.kind):
        raise UsageError(
            f"the challenge is about a suspect of the kind {suspect.kind}, which no file is",
            hint=f"leave {path} out; the verdict has the record of what an endpoint answered",
        )
    models = model_digests(path)
    chosen = [model for model in models if model.digest == suspect.digest]
    if not chosen:
        why = next((f": {model.problem}" for model in models if model.problem), "")
        raise UsageError(
            f"{path} is not the model that the challenge names{why}",
            hint=f"give the very file whose digest is {suspect.digest.hex()[:16]}...",
        )
    file = path / chosen[0].name if path.is_dir() else path
    if file.suffix.lower() == ".onnx":
        from zkwm.suspects.onnx_parts import read_files

        return read_files(file)
    from zkwm.nn.model_file import load_with_files

    return load_with_files(file)[1]


def kept_statements(path: Path, commitment: Commitment) -> dict[str, bytes]:
    """What a trust folder's logs say of the keys of a commitment, by names made of its digest."""
    from hashlib import sha256

    found = {}
    for one in read_trust(path).statements if is_trust_folder(path) else ():
        if is_about_owner(one, commitment):
            data = one.to_bytes()
            found[f"{sha256(data).hexdigest()[:32]}{LOGGED}"] = data
    return found


def read_given(path: Path) -> bytes:
    """A file that is to be packed, or a trust folder as its file.

    Raises CouldNotCheck or Malformed, naming it.
    """
    if is_trust_folder(path):
        return read_trust(path).to_bytes()
    return read_limited(path, FILE_LIMIT, regular=True)


def require_names(names: Sequence[str]) -> None:
    """Raise UsageError where two files of one role have one name."""
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(
            f"two files are to be {sorted(twice)[0]} in the archive",
            hint="give each file once; rename a report that has another's name",
        )


def _is_object(data: bytes) -> bool:
    """Whether this is a JSON object."""
    try:
        return isinstance(json.loads(data), dict)
    except (ValueError, RecursionError):
        return False


def _is_template(data: bytes, challenge: Challenge) -> bool:
    """Whether this is the template that the challenge names by its digest (SPEC.md 7.1)."""
    import hashlib

    pinned = challenge.suspect.template
    return pinned is not None and hashlib.sha256(b"zkwm-template-1" + data).digest() == pinned


def _statement(path: Path, data: bytes) -> ArchiveRole:
    """A logged statement about a key; whether it is one of the owner's is checked when packed."""
    try:
        about_a_key = LoggedStatement.from_bytes(data).is_about_a_key
    except ZkwmError as error:
        raise _unknown(path, error.message) from None
    if not about_a_key:
        raise _unknown(path, "what it states is not about a key; the commitment's file has others")
    return ArchiveRole.STATEMENT


def _test_data(path: Path, challenge: Challenge) -> ArchiveRole:
    """The test data of the challenge, by digest: any other images could be triggers."""
    tested = challenge.test_accuracy
    try:
        fits = (
            tested is not None
            and drawn_images(load_test_data(path), challenge).digest() == tested.data
        )
    except ZkwmError:
        fits = False
    if not fits:
        raise _unknown(path, "its images are not the test data that the challenge names")
    return ArchiveRole.TEST_DATA


def _unknown(path: Path, why: str) -> UsageError:
    """The error for a file that is not packed."""
    return UsageError(f"{path} is not packed: {why}", hint=_KNOWN)
