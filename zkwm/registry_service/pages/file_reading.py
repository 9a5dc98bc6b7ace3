"""What a file says that a visitor uploads: read by the strict readers, compared with the registry.

Commitments, proofs, signed verdicts, checkpoints and proofs of the log. No model is run and no
secret is needed; what a proof shows about a model, only ``zkwm verify`` decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from zkwm.registry_service.pages import log_page
from zkwm.registry_service.pages.case_pages import read_signed_verdict
from zkwm.registry_service.pages.commitment_dates import proof_rows, token_rows
from zkwm.registry_service.pages.commitment_page import triggers_in_words
from zkwm.registry_service.pages.search import Found, Query, search
from zkwm.registry_service.pages.uploads import Upload
from zkwm.registry_service.pages.view import RegistryView
from zkwm.registry_service.pages.witnesses import policy_of
from zkwm.report import dates, wording
from zkwm.report.facts import Fact
from zkwm.report.visible import count, utc
from zkwm_protocols.argument_response import ArgumentResponse, read_response
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.errors import Malformed, ZkwmError
from zkwm_protocols.opened_words import holds_keys
from zkwm_protocols.opening import Opening


@dataclass(frozen=True)
class Test:
    """One thing that was checked: icon (yes, no, unknown), what, and what was found."""

    __test__ = False

    icon: str
    title: str
    detail: str


@dataclass(frozen=True)
class FileReading:
    """What a file is and says.

    Args:
        title: its kind, in a few words.
        says: what it is, in a sentence or two.
        facts: what stands in it.
        tests: what was checked.
        names: digests and fingerprints in it, to be looked up.
        advice: how the rest is checked.
    """

    title: str
    says: str
    facts: tuple[Fact, ...]
    tests: tuple[Test, ...]
    names: tuple[Query, ...]
    advice: str


def read_file(view: RegistryView, upload: Upload) -> tuple[FileReading, list[Found]]:
    """What an upload says, and what of it the registry knows. Raises Malformed or Unsupported."""
    data = upload.content
    first = data[: data.find(b"\n", 0, 64) + 1]
    readers: dict[bytes, Callable[[RegistryView, bytes], FileReading]] = {
        b"zkwm-commitment/": _commitment,
        b"zkwm-proof/": _proof,
        b"zkwm-verdict/": _verdict,
        b"c2sp.org/tlog-proof@": _log_proof,
    }
    reader = next((one for start, one in readers.items() if first.startswith(start)), None)
    if reader is None and not first.startswith(b"zkwm-") and b"\n\n\xe2\x80\x94 " in data:
        reader = _checkpoint
    if reader is None:
        raise Malformed(
            "this is no commitment, proof, verdict, checkpoint or proof of the log",
            hint="every other kind is read by zkwm inspect FILE, on your own machine",
        )
    reading = reader(view, data)
    own = Query("digest", hashlib.sha256(data).hexdigest())
    found = [one for query in dict.fromkeys([own, *reading.names]) for one in search(view, query)]
    return reading, list(dict.fromkeys(found))


def _commitment(view: RegistryView, data: bytes) -> FileReading:
    """Root, names and signatures can be checked; whose key it is cannot."""
    commitment = Commitment.from_bytes(data)
    keys = [key.fingerprint() for key in commitment.header.owner_keys]
    marked = holds_keys(commitment.header)
    tokens = token_rows(commitment)
    return FileReading(
        "A commitment",
        f"It fixes {'secret keys of a mark' if marked else 'trigger images'}, hidden behind "
        "digests, and the key of its owner. It says nothing about any model.",
        (
            Fact("Commitment", commitment.digest.hex(), True),
            *(Fact("Owner's key", key, True) for key in keys),
            Fact("Secret keys" if marked else "Triggers", triggers_in_words(commitment)),
            *(Fact("Dated", one.says or f"not readable: {one.problem}") for one in tokens),
            *(
                (Fact("Class names", ", ".join(commitment.class_names)),)
                if commitment.class_names
                else ()
            ),
        ),
        (
            _test("The leaves hash to the root", commitment.verify_root),
            _test("The class names are those of the header", commitment.verify_class_names),
            _test("The owner's keys signed it", commitment.verify_signatures),
            *(
                Test("unknown", f"Its proof of the log {one.origin}", "not this service's log")
                if one.signed is None
                else Test(
                    "no" if one.problem else "yes",
                    f"It is entry {one.index:,} of the log {one.origin}",
                    one.problem,
                )
                for one in proof_rows(commitment, view.log_state())
            ),
            *(
                Test(
                    "unknown",
                    "Its timestamps",
                    f"{count(len(tokens), 'token')}; whom to trust is yours to say: zkwm inspect "
                    "verifies them by your trust folder",
                )
                for _ in tokens[:1]
            ),
        ),
        (Query("digest", commitment.digest.hex()), *(Query("key", key) for key in keys)),
        "Compare the owner's fingerprint with the one that they published.",
    )


def _proof(_: RegistryView, data: bytes) -> FileReading:
    """Nothing of it can be checked without the challenge and the suspect."""
    response = read_response(data)
    if isinstance(response, Opening):
        says = "The owner's answer to a challenge: opened blocks, sealed to the judge alone."
    elif isinstance(response, ArgumentResponse):
        says = "The owner's answer to a challenge: an argument in zero knowledge."
    else:
        says = "The owner's answer to a challenge: a refusal, which proves nothing."
    challenge, commitment = response.challenge.hex(), response.commitment.hex()
    return FileReading(
        "A proof",
        says,
        (
            Fact("Challenge", challenge, True),
            Fact("Commitment", commitment, True),
            Fact("Blocks", ", ".join(str(block) for block in response.blocks) or "none"),
        ),
        (
            Test("yes", "It is read by the strict reader", ""),
            Test("unknown", "What it shows", "that takes the challenge and the model: zkwm verify"),
        ),
        (Query("digest", challenge), Query("digest", commitment)),
        "A proof is checked by zkwm verify, with the model that it is about, on your own machine.",
    )


def _verdict(view: RegistryView, data: bytes) -> FileReading:
    """The judge's signature can be checked, by the key in the file."""
    verdict = read_signed_verdict(data)
    judge = "" if verdict.judge is None else verdict.judge.fingerprint()
    commitment = verdict.commitment_digest
    challenge = verdict.challenge
    named = [one for one in (commitment, challenge.digest if challenge else None) if one]
    return FileReading(
        f"A verdict: {wording.TITLES[verdict.outcome].lower()}",
        f"{wording.meaning(verdict)} {dates.in_short(verdict)}",
        (
            Fact("Signed by", judge, True),
            Fact("Checked", utc(verdict.checked)),
            *((Fact("Commitment", commitment.hex(), True),) if commitment else ()),
            *((Fact("Challenge", challenge.digest.hex(), True),) if challenge else ()),
            Fact("It does not say", wording.caution(verdict)),
        ),
        (
            Test("yes", "Signed by the judge whom it names", ""),
            Test("yes", "Outcome, checks and evidence agree", "recounted"),
            Test("yes", "It is a judge whom this registry trusts", "")
            if verdict.judge is not None and view.trusts(verdict.judge.signing)
            else Test("unknown", "Who the judge is", "none whom this registry trusts"),
            Test("unknown", "Whose key that is", "compare it with what the judge published"),
        ),
        tuple(Query("digest", one.hex()) for one in named),
        "Anybody can make a key and sign a verdict with it: compare the judge's fingerprint.",
    )


def _checkpoint(view: RegistryView, data: bytes) -> FileReading:
    """Compared with the log's newest."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a checkpoint is text in UTF-8") from None
    comparison = log_page.compare(view, text)
    return FileReading(
        "A checkpoint",
        "The signed head of a log: how many entries its tree had, and their root.",
        (),
        (Test(comparison.icon, comparison.title, comparison.says),),
        (),
        "Keep checkpoints that you saw: two that do not fit are evidence against a log.",
    )


def _log_proof(view: RegistryView, data: bytes) -> FileReading:
    """Verified with this log's keys and its policy."""
    logged = LoggedStatement.from_bytes(data)
    content, key = logged.statement.content, logged.statement.key.fingerprint()
    state = view.log_state()
    policy = policy_of(state)
    statement = hashlib.sha256(logged.statement.to_bytes()).hexdigest()
    return FileReading(
        "A proof of the log",
        "It proves, offline, that a statement stands in a log.",
        (
            Fact("Statement", statement, True),
            Fact("About", content.subject),
            Fact("Signed by", key, True),
            Fact("Entry", f"{logged.proof.index:,}"),
        ),
        (
            Test("yes", "The statement is signed by the key that it carries", ""),
            _test("It stands in a tree of this log", lambda: logged.verify(policy)),
        ),
        (Query("digest", statement),),
        "Whether log and witnesses are to be trusted is yours to decide: a policy says so.",
    )


def _test(title: str, check: Callable[[], object]) -> Test:
    """A check as it came out."""
    try:
        check()
    except ZkwmError as error:
        return Test("no", title, error.message)
    return Test("yes", title, "")
