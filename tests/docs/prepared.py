"""The owner's side of a case, made in a second, for pages that begin with a judge or a buyer.

The suspect is one linear layer that answers the triggers; nothing is trained.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import zkwm
from tests.support.argued import save_linear
from tests.support.certificate_authority import certify, new_key
from tests.support.timestamp_tokens import TokenMaker, generalized
from tests.support.trust_folders import write_trust
from zkwm.secret_files.encrypted import Cost

PASSPHRASE = "a long phrase"
CHEAP = Cost(operations=1, memory_kib=8 * 1024)
_SERVICES: list[object] = []
"""Services that go on until the process ends."""


def the_owner() -> dict[str, object]:
    """Names that a marketplace's snippet takes for granted, from the owner's files here."""
    commitment = zkwm.Commitment.from_bytes(Path("acme.commitment").read_bytes())

    def ask_owner(challenge: zkwm.Challenge) -> object:
        vault = zkwm.Vault.open("acme.vault", PASSPHRASE)
        judge = challenge.judge.fingerprint()
        return zkwm.prove(
            vault,
            commitment,
            challenge,
            judge_fingerprint=judge,
            consent=zkwm.Consent(again=True, last=True),
        )

    return {
        "zkwm": zkwm,
        "passphrase": PASSPHRASE,
        "commitment": commitment,
        "ask_owner": ask_owner,
    }


def prepare() -> None:
    """Make acme.vault, acme.commitment, suspect.onnx and test.npz in the current folder.

    ``test.npz`` are labeled images that the suspect gets right.
    """
    vault = zkwm.Vault.create("acme.vault", PASSPHRASE, cost=CHEAP)
    commitment = zkwm.commit(vault, class_count=10, shape=(1, 16, 16), family="blocks")
    triggers = zkwm.trigger_set(vault, commitment)
    Path("acme.commitment").write_bytes(commitment.to_bytes())
    save_linear(Path("suspect.onnx"), triggers.images, triggers.labels)
    images = np.random.default_rng(0).integers(0, 256, (500, 1, 16, 16), np.uint8)
    suspect = zkwm.open_suspect("suspect.onnx", shape=(1, 16, 16))
    answers = suspect.answer(images, zkwm.Preprocessing())
    np.savez("test.npz", x_test=images, y_test=np.array([one.output for one in answers]))
    suspect.close()


def date_it() -> None:
    """A timestamp of 2026-02-01 in acme.commitment, and a folder ``trust`` that trusts it."""
    times = {"start": datetime(2026, 1, 1, tzinfo=UTC), "end": datetime(2027, 1, 1, tzinfo=UTC)}
    root = certify("root", new_key(), ca=True, **times)
    time = generalized(datetime(2026, 2, 1, tzinfo=UTC))
    maker = TokenMaker(root, root, certify("signer", new_key(), root, **times), time=time)
    path = Path("acme.commitment")
    commitment = zkwm.Commitment.from_bytes(path.read_bytes())
    token = maker.but(digest=commitment.digest).evidence()
    path.write_bytes(replace(commitment, timestamps=(token,)).to_bytes())
    write_trust(Path("trust"), {"freetsa": (root.pem,)}, demand_revocation=False)


def serve_envelope(model: str) -> str:
    """Serve an ONNX file as TorchServe's JSON envelope does; the URL, until the process ends."""
    import base64
    import json

    import onnxruntime

    from tests.support.http_services import pixels_of, serving

    session = onnxruntime.InferenceSession(model)
    (name,) = (one.name for one in session.get_inputs())

    def route(_: object, body: bytes) -> dict[str, object]:
        (instance,) = json.loads(body)["instances"]
        pixels = pixels_of(base64.b64decode(instance["b64"]))
        (scores,) = session.run(None, {name: (pixels[None] / 255).astype(np.float32)})
        return {"predictions": scores.tolist()}

    service = serving(route, "/predictions/model")
    _SERVICES.append(service)
    return service.__enter__().url


def prepare_dispute() -> None:
    """The folder of a dispute: Doe marked a copy of Acme's model, and registered later.

    Acme has bound its key to itself, by a certificate of somebody whom the judge trusts for that.
    """
    from dataclasses import replace

    from tests.support.dispute_folder import DisputeFolder, Forger
    from tests.support.known_owner import ROOT, binding

    folder = DisputeFolder(Path.cwd(), Forger())
    people = Path("trust/people/state")
    people.mkdir(parents=True)
    (people / "root.pem").write_bytes(ROOT.pem)
    acme = folder.party("acme", days=30)
    acme.commitment = replace(acme.commitment, key_proofs=(binding(log=folder.log),))
    doe = folder.party("doe", days=3)
    folder.model("doe-model", "doe", acme, doe, contested=True)
    folder.model("acme-model", "acme", acme, published=20)
    for mark, model in (("acme", "doe-model"), ("doe", "acme-model"), ("doe", "doe-model")):
        folder.claim(mark, model)
    folder.write()
