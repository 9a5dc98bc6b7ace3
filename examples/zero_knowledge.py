"""A dispute in zero knowledge: the judge learns that enough triggers match, and nothing is opened.

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
    """From challenge to verdict. The judge got the model from the party that distributes it."""
    suspect = zkwm.open_suspect(model, shape=commitment.header.shape)
    challenge = judge.challenge_argument(commitment, suspect, purpose="Acme v. Doe")
    return judge.verify(commitment, suspect, challenge, ask_owner(challenge))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir()
    vault, made = owner.mark(folder, "the owner's own")
    him = zkwm.Judge.create(folder / "judge.key", "the judge's own")
    known = him.public.fingerprint()  # published by the judge, compared by the owner
    onnx = folder / "marked" / "model.onnx"  # the owner has the suspect's file as well
    verdict = decide(
        him,
        made,
        onnx,
        lambda asked: zkwm.prove(vault, made, asked, judge_fingerprint=known, model=onnx),
    )
    print(zkwm.render_text(verdict))
