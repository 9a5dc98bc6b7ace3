"""A proven case in files whose judge knows, by logged statements, whose the owner's key is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import zkwm
from tests.support.case_files import save_lookup
from tests.support.certificate_authority import DAY, certify, new_key, now
from tests.support.dispute import SHAPE, Claimant, TestJudge, random_images
from tests.support.dispute_folder import SmallLog, key_of, moment
from tests.support.statements import SIGNS, bound_by
from tests.support.trust_folders import write_trust
from tests.support.witnessed_log import POLICY_TEXT
from zkwm.trust_folder import read_trust
from zkwm_protocols.cose.logged_statement import LoggedStatement

ACME = "ACME Ltd"
_WHOLE: dict[str, Any] = {"start": now() - 900 * DAY, "end": now() + 900 * DAY}
ROOT = certify("Persons", new_key(), ca=True, **_WHOLE)


def binding(
    party: str = "acme", person: str = ACME, days: float = 25, log: SmallLog | None = None
) -> LoggedStatement:
    """A party's key, bound by a card of the person so many days ago."""
    key = key_of(party)
    card = certify(person, new_key(), ROOT, usages=SIGNS, start=moment(300), end=moment(-300))
    return (log or SmallLog()).add(bound_by(key.public.fingerprint(), card, person), key, days)


def known_owner(
    folder: Path, judge: TestJudge, *fetched: LoggedStatement, own: tuple[LoggedStatement, ...] = ()
) -> list[Path]:
    """The files of the case, the trust folder among them.

    Args:
        folder: where they go.
        judge: who decides.
        fetched: the judge's own statements, in the trust folder.
        own: those in the commitment's file.
    """
    trust = write_trust(folder / "trust", {})
    (trust / "log-policy").write_text(POLICY_TEXT, encoding="utf-8")
    for part in ("people/state", "statements"):
        (trust / part).mkdir(parents=True)
    (trust / "people/state/root.pem").write_bytes(ROOT.pem)
    for number, one in enumerate(fetched):
        (trust / f"statements/{number}.tlog-proof").write_bytes(one.to_bytes())
    owner, model = Claimant(random_images(200), keys=(key_of("acme"),)), folder / "model.onnx"
    save_lookup(model, owner.images, owner.labels, shape=SHAPE)
    commitment, trusted = replace(owner.commitment, key_proofs=own), read_trust(trust)
    with zkwm.open_suspect(model, shape=SHAPE) as suspect:
        challenge = judge.challenge(commitment, suspect, reveal=50, trust=trusted)
        proof = owner.answer(challenge, [0])
        verdict = judge.verify(commitment, suspect, challenge, proof, trust=trusted)
    for name, data in {
        "a.commitment": commitment.to_bytes(),
        "a.challenge": challenge.to_bytes(),
        "a.proof": proof.to_bytes(),
        "a.verdict": judge.sign_verdict(verdict),
        "judge.key.pub": judge.public.to_bytes(),
    }.items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())
