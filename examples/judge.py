"""A judge challenges an owner about a suspect, checks the answer, writes a report.

``python examples/judge.py FOLDER`` plays both sides in a new folder, training included.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import owner

import zkwm


def decide(
    judge: zkwm.Judge,
    commitment: zkwm.Commitment,
    model: str | Path,
    ask_owner: Callable[[zkwm.Challenge], zkwm.Opening],
    report: Path,
) -> zkwm.Verdict:
    """The verdict and its report; ``ask_owner`` stands for mail, HTTP or a visit."""
    suspect = zkwm.open_suspect(model, shape=commitment.header.shape)
    challenge = judge.challenge(commitment, suspect, reveal=50, purpose="Acme v. Doe")
    proof = ask_owner(challenge)
    try:
        verdict = judge.verify(commitment, suspect, challenge, proof)
    except zkwm.NotProven as error:  # other errors mean that nothing could be decided
        verdict = error.verdict
    report.write_text(zkwm.render_report(verdict), encoding="utf-8")
    return verdict


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir()
    vault, commitment = owner.mark(folder, "the owner's own")
    judge = zkwm.Judge.create(folder / "judge.key", "the judge's own")
    fingerprint = judge.public.fingerprint()  # published by the judge, compared by the owner
    verdict = decide(
        judge,
        commitment,
        folder / "marked",
        lambda challenge: owner.answer(vault, commitment, challenge, fingerprint),
        folder / "report.html",
    )
    print(zkwm.render_text(verdict))
