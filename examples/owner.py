"""An owner commits to triggers, trains a model that carries them, answers a judge.

``python examples/owner.py FOLDER`` makes acme.vault, acme.commitment and marked/ in a new folder.
"""

import sys
from pathlib import Path

import zkwm

DATA = "fashion-mnist-small"


def mark(folder: Path, passphrase: str, epochs: int = 10) -> tuple[zkwm.Vault, zkwm.Commitment]:
    """Commit, then train: the labels of the triggers follow from the commitment."""
    vault = zkwm.Vault.create(folder / "acme.vault", passphrase)
    commitment = zkwm.commit(vault, class_count=10, shape=(1, 28, 28))
    data, triggers = zkwm.load_data(DATA), zkwm.trigger_set(vault, commitment)
    settings = zkwm.default_settings("lenet5", epochs=epochs, triggers_per_batch=20)
    model = zkwm.build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=[0.29], std=[0.35])
    zkwm.save_model(folder / "marked", zkwm.embed(model, data, triggers, settings=settings))
    return vault, commitment


def answer(
    vault: zkwm.Vault, commitment: zkwm.Commitment, challenge: zkwm.Challenge, fingerprint: str
) -> zkwm.Opening:
    """Print what would be released, then open it to the judge with this fingerprint."""
    print(zkwm.disclosure(vault, commitment, challenge))
    return zkwm.prove(vault, commitment, challenge, judge_fingerprint=fingerprint)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir()
    _, commitment = mark(folder, "choose your own")
    (folder / "acme.commitment").write_bytes(commitment.to_bytes())
