"""A zero-knowledge dispute: the judge learns that enough triggers match; none is opened.

``python examples/zero_knowledge.py FOLDER`` plays both sides in a new folder, training included.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import owner

import zkwm

Answer = zkwm.ArgumentResponse | zkwm.Refusal


def decide(
    judge: zkwm.Judge,
    commitment: zkwm.Commitment,
    model: Path,
    ask_owner: Callable[[zkwm.Challenge], Answer],
) -> zkwm.Verdict:
    """The verdict; the judge got the model from the party that distributes it."""
    suspect = zkwm.open_suspect(model, shape=commitment.header.shape)
    challenge = judge.challenge_argument(commitment, suspect, purpose="Acme v. Doe")
    return judge.verify(commitment, suspect, challenge, ask_owner(challenge))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir()
    vault, commitment = owner.mark(folder, "the owner's own")
    judge = zkwm.Judge.create(folder / "judge.key", "the judge's own")
    fingerprint = judge.public.fingerprint()  # published by the judge, compared by the owner
    onnx = folder / "marked" / "model.onnx"  # the owner has the suspect's file as well
    verdict = decide(
        judge,
        commitment,
        onnx,
        lambda challenge: zkwm.prove(
            vault, commitment, challenge, judge_fingerprint=fingerprint, model=onnx
        ),
    )
    print(zkwm.render_text(verdict))
