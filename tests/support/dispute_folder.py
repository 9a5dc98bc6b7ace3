"""The folder of a dispute: parties, models, an authority, a log with witnesses, a judge's verdicts.

Models are tables of answers behind a file's name, so that nothing is trained; verdicts, tokens and
logged statements are real. ``DisputeFolder.settle`` writes CASE.yaml and decides it.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.support.certificate_authority import DAY, now
from tests.support.dispute import (
    Claimant,
    TableSuspect,
    TestJudge,
    new_judge,
    random_images,
    verdict_of,
)
from tests.support.past_authority import days_ago
from tests.support.tiled_log import TiledLog
from tests.support.timestamp_tokens import NONCE, TokenMaker, generalized
from tests.support.trust_folders import write_trust
from tests.support.witnessed_log import LOG_KEY, POLICY_TEXT, WITNESSES
from zkwm.disputes.settle import settle_dispute
from zkwm.disputes.verdict import DisputeVerdict
from zkwm.judge.verdict import Verdict
from zkwm.suspects.http_suspect import endpoint_digest
from zkwm.trust_folder import read_trust
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import Content, sign_statement
from zkwm_protocols.keys import ED25519, SigningKey
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    sign_checkpoint,
)
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import TreeHead, prove_inclusion

ENDPOINT = "https://doe.example/classify"


def key_of(name: str) -> SigningKey:
    """A party's key, always the same."""
    return SigningKey.from_bytes(ED25519, hashlib.sha256(name.encode()).digest())


def moment(days: float) -> datetime.datetime:
    """So many days ago, to the second."""
    return (now() - days * DAY).replace(microsecond=0)


class Forger:
    """Two authorities with chains of their own: one that judges trust, and a thief's."""

    def __init__(self) -> None:
        whole = {"start": now() - 400 * DAY, "end": now() + 400 * DAY}
        self.honest, self.false = (TokenMaker.new(intermediate=False, **whole) for _ in range(2))

    def dated(self, party: Claimant, days: float, *, false: bool = False) -> Claimant:
        """The party's commitment with a token of so many days ago."""
        maker = self.false if false else self.honest
        token = maker.but(digest=party.commitment.digest, time=generalized(moment(days)))
        evidence = token.evidence(nonce=NONCE)
        party.commitment = replace(party.commitment, timestamps=(evidence,))
        return party


class SmallLog:
    """A log that three witnesses see, at times that a test chooses."""

    def __init__(self) -> None:
        self.tree = TiledLog()

    def add(self, content: Content, key: SigningKey, days: float) -> LoggedStatement:
        """State it; the witnesses saw it so many days ago."""
        statement = sign_statement(content, key)
        self.tree.append([statement.to_bytes()])
        index = self.tree.size - 1
        proof = tuple(prove_inclusion(index, self.tree.size, self.tree.hashes()))
        signed = self.checkpoint(self.tree.head(), days)
        return LoggedStatement(statement, ProofFile(index, proof, signed))

    def checkpoint(self, head: TreeHead, days: float) -> SignedCheckpoint:
        """A checkpoint that log and witnesses signed."""
        checkpoint = Checkpoint(LOG_KEY.verifier.name, head)
        time = int(moment(days).timestamp())
        lines = [sign_checkpoint(checkpoint, LOG_KEY)]
        lines += [sign_checkpoint(checkpoint, key, time) for key in WITNESSES]
        return SignedCheckpoint(checkpoint, tuple(lines))

    def leaf(self, index: int) -> bytes:
        """The hash of an entry."""
        return self.tree.hashes()(0, index)


class DisputeFolder:
    """A case that grows; paths are names in its folder."""

    def __init__(self, folder: Path, forger: Forger) -> None:
        self.folder, self.forger = folder, forger
        self.judge: TestJudge = new_judge()
        self.log = SmallLog()
        self.parties: dict[str, Claimant] = {}
        self.tables: dict[str, TableSuspect] = {}
        self.case: dict[str, Any] = {
            "schema": "zkwm/dispute-case/v1", "title": "Acme v. Doe", "trust": "trust",
            "judges": ["judge.key.pub"], "parties": [], "models": [], "claims": [],
        }  # fmt: skip
        write_trust(folder / "trust", {"tsa": (forger.honest.root.pem,)}, demand_revocation=False)
        (folder / "trust" / "log-policy").write_text(POLICY_TEXT, encoding="utf-8")
        (folder / "judge.key.pub").write_bytes(self.judge.public.to_bytes())

    @property
    def trust(self) -> Any:
        return read_trust(self.folder / "trust")

    def party(
        self, name: str, *, days: float | None, false: bool = False, **options: Any
    ) -> Claimant:
        """A party that committed, and had that dated so many days ago."""
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        images = options.pop("images", None)
        if images is None:
            images = random_images(200, seed)
        party = Claimant(images, keys=(key_of(name),), salt_seed=seed, **options)
        return self.join(name, party, days=days, false=false)

    def join(
        self, name: str, party: Claimant, *, days: float | None, false: bool = False
    ) -> Claimant:
        """Put a party into the case."""
        if days is not None:
            self.forger.dated(party, days, false=false)
        self.parties[name] = party
        self.case["parties"].append(
            {"name": name, "called": name.title(), "commitment": f"{name}.commitment"}
        )
        return party

    def model(
        self,
        name: str,
        by: str,
        *marks: Claimant,
        published: float | None = 7,
        contested: bool = False,
        endpoint: bool = False,
    ) -> TableSuspect:
        """A model with these marks, published so many days ago."""
        table: dict[bytes, int | str] = {}
        for owner in marks:
            pairs = zip(owner.images, owner.labels, strict=True)
            table |= {image.tobytes(): int(label) for image, label in pairs}
        kind = "http" if endpoint else "onnx"
        suspect = TableSuspect(table, name=name, kind=kind)
        entry: dict[str, Any] = {"name": name, "published_by": by}
        if endpoint:
            entry["endpoint"] = ENDPOINT
            digest = endpoint_digest(ENDPOINT)
        else:
            data = b"the weights of " + name.encode()
            (self.folder / f"{name}.onnx").write_bytes(data)
            entry["file"] = f"{name}.onnx"
            digest = hashlib.sha256(data).digest()
        suspect.identity = replace(suspect.identity, digest=digest)
        if published is not None:
            entry |= {"published": days_ago(int(published)), "source": "https://hub.example"}
        if contested:
            entry["contested"] = "true"
        self.case["models"].append(entry)
        self.tables[name] = suspect
        return suspect

    def claim(self, mark: str, model: str, blocks: Sequence[int] = (0,), **terms: Any) -> Verdict:
        """The judge asks; the party answers; the signed verdict goes into the case."""
        verdict = self.verdict(mark, model, blocks, **terms)
        self.put_claim(mark, model, verdict)
        return verdict

    def verdict(self, mark: str, model: str, blocks: Sequence[int], **terms: Any) -> Verdict:
        """The verdict on an opening of these blocks."""
        owner, suspect = self.parties[mark], self.tables[model]
        commitment = replace(owner.commitment, authorities=self.trust.authorities)
        challenge = self.judge.challenge(
            commitment, suspect, reveal=50 * len(blocks), trust=self.trust, **terms
        )
        answer = owner.answer(challenge, blocks)
        return verdict_of(
            lambda: self.judge.verify(commitment, suspect, challenge, answer, trust=self.trust)
        )

    def put_claim(self, mark: str, model: str, verdict: Verdict) -> bytes:
        """A signed verdict as a claim's evidence."""
        name = f"{mark}-{model}.verdict"
        data = self.judge.sign_verdict(verdict)
        (self.folder / name).write_bytes(data)
        self.case["claims"].append({"mark": mark, "model": model, "verdict": name})
        return data

    def earlier_opening(self, mark: str, blocks: Sequence[int], days: float) -> None:
        """Blocks that were opened to the judge about some other model, so many days ago."""
        owner = self.parties[mark]
        challenge = self.judge.challenge(
            replace(owner.commitment, authorities=self.trust.authorities),
            TableSuspect(name="some other model"), reveal=50 * len(blocks),
        )  # fmt: skip
        issued = int(moment(days).timestamp())
        challenge = replace(challenge, issued=issued).signed_by(self.judge.key.signing)
        number = len(self.case.setdefault("earlier_openings", []))
        names = {"challenge": f"old{number}.challenge", "proof": f"old{number}.proof"}
        (self.folder / names["challenge"]).write_bytes(challenge.to_bytes())
        (self.folder / names["proof"]).write_bytes(owner.answer(challenge, blocks).to_bytes())
        self.case["earlier_openings"].append(names)

    def state(self, content: Content, key: SigningKey, days: float) -> LoggedStatement:
        """A statement in the log, and in the case."""
        logged = self.log.add(content, key, days)
        names = self.case.setdefault("statements", [])
        names.append(f"{len(names)}.tlog-proof")
        (self.folder / names[-1]).write_bytes(logged.to_bytes())
        return logged

    def register(self, name: str, days: float) -> None:
        """A party's commitment, logged so many days ago; its file has the proof."""
        party = self.parties[name]
        content = CommitmentStatement(party.commitment.digest)
        logged = self.log.add(content, party.keys[0], days)
        party.commitment = replace(party.commitment, log_proofs=(logged,))

    def saw(self, *checkpoints: SignedCheckpoint) -> None:
        """Checkpoints that somebody saw."""
        names = self.case.setdefault("checkpoints", [])
        for one in checkpoints:
            names.append(f"{len(names)}.checkpoint")
            (self.folder / names[-1]).write_bytes(one.to_bytes())

    def write(self) -> Path:
        """CASE.yaml and the commitments; its path."""
        for name, party in self.parties.items():
            (self.folder / f"{name}.commitment").write_bytes(party.commitment.to_bytes())
        path = self.folder / "CASE.yaml"
        path.write_text(yaml.safe_dump(self.case, sort_keys=False), encoding="utf-8")
        return path

    def settle(self) -> DisputeVerdict:
        """The verdict, which its own reader reads again."""
        verdict = settle_dispute(self.write(), judge=self.judge)
        signed = verdict.signed_by(self.judge.key.signing, self.judge.public)
        assert DisputeVerdict.from_bytes(signed, self.judge.public) == verdict
        return verdict


def other_labels(labels: np.ndarray) -> np.ndarray:
    """Wrong labels for every image."""
    return (labels + 1) % 10


def leaf_of(statement: LoggedStatement) -> bytes:
    """The leaf hash of a statement's entry."""
    return leaf_hash(statement.statement.to_bytes())
