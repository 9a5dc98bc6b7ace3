"""Chains: two or more attacks one after the other, each on what the one before it left.

That attacks can be combined is shown by Lukas et al. (IEEE S&P 2022), whose toolbox has them as
"stacked". A chain is an attack of a grid like any other: its cell is named by all parameters and
source files of its steps.

Adversary: what the first step needs, and what the others need beyond it.

- The first step sees the owner's weights or service. From then on the network at hand is the
  adversary's own: a later step that asks a service asks that network, free of charge.
- All steps see the adversary's images, and an opened block or a second theft if they use one. A
  chain that uses the block anywhere is judged without it.
- Costs: queries to the owner are those of the first step, gradients those of all steps, and images
  as many as the step with most of them, which are the same ones each time.
- The first step gets the adversary's seed, so that it does what it does alone, each later one a
  seed derived from it.
- A second step can undo the first: of a robust mark's 498 bits by ranks unlearning like an opened
  block leaves 260, retraining after it 377 (benchmarks/results/combined_attacks.jsonl).
- A step that wraps the network (filters, detectors) can only be the last one, and answers that mean
  nothing after one step (``transfer``) mean nothing after all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from zkwm.attacks import ATTACKS, make_attack
from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.named_classes import read_parameters
from zkwm.nn.architectures import Classifier
from zkwm.nn.seeds import derived_seed
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import UsageError

SEPARATOR = ";"
LEAST_STEPS, MOST_STEPS = 2, 10
NAME = "chain"


@dataclass(frozen=True)
class Chain(Attack):
    """Run several attacks, each on the network that the one before it left.

    Args:
        attacks: Those to run, separated by semicolons: a name of ``zkwm.attacks.ATTACKS``, then
            parameters as NAME=VALUE, separated by blanks, such as ``pruning share=0.8; refit``. 2
            to 10 of them, none a chain.

    Raises:
        UsageError: An attack or a parameter does not exist, a value is out of range, or the steps
            are too few or too many.
    """

    name: ClassVar[str] = NAME
    paper: ClassVar[str] = "Lukas et al. 2022 (stacked attacks of their toolbox)"

    attacks: str = "fine_pruning share=0.5; fine_tuning which=RTAL rate=0.05 schedule=cosine"

    def __post_init__(self) -> None:
        _ = self.parts

    @property
    def parts(self) -> tuple[Attack, ...]:
        """The attacks, in order."""
        texts = [text.split() for text in self.attacks.split(SEPARATOR)]
        if not LEAST_STEPS <= len(texts) <= MOST_STEPS or not all(texts):
            raise UsageError(
                f"a chain has {LEAST_STEPS} to {MOST_STEPS} attacks, not {self.attacks!r}",
                hint=f"separate them by {SEPARATOR!r}, parameters by blanks",
            )
        if any(text[0] == NAME for text in texts):
            raise UsageError("a chain has no chain as a step", hint="write its steps out")
        return tuple(
            make_attack(text[0], **read_parameters(ATTACKS, "attack", text[0], text[1:]))
            for text in texts
        )

    @property
    def uses_opened(self) -> bool:
        """Whether any step does."""
        return any(part.uses_opened for part in self.parts)

    @property
    def uses_second_theft(self) -> bool:
        """Whether any step does."""
        return any(part.uses_second_theft for part in self.parts)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Run the steps. Raises UsageError where one cannot be used on what it gets."""
        parts = self.parts
        results: list[AttackResult] = []
        for number, step in enumerate(parts):
            if results:
                target = _own(results[-1], parts[number - 1].name, target.opened, adversary)
            who = adversary if number == 0 else _later(adversary, number)
            seen = target if step.uses_opened else replace(target, opened=None)
            results.append(step.run(seen, who))
        return AttackResult(
            results[-1].model,
            images=max(result.images for result in results),
            queries=results[0].queries,
            gradient_images=sum(result.gradient_images for result in results),
            void="; ".join(dict.fromkeys(result.void for result in results if result.void)),
        )


def _own(
    result: AttackResult, name: str, opened: TriggerSet | None, adversary: Adversary
) -> Target:
    """What the next step attacks: the network that the step called ``name`` left.

    Raises UsageError where it is a network in a wrapper.
    """
    model = result.model
    if not isinstance(model, Classifier):
        raise UsageError(
            f"{name} leaves no plain network, so nothing can follow it", hint="make it the last"
        )
    model.to(adversary.device).eval().requires_grad_(True)

    @torch.no_grad()
    def answers(images: Tensor) -> Tensor:
        probabilities: Tensor = model(images).softmax(dim=1)
        return probabilities

    return Target(model, answers, opened)


def _later(adversary: Adversary, number: int) -> Adversary:
    """The same adversary with the seed of a later step."""
    return replace(adversary, seed=derived_seed(adversary.seed, "attack/chain", number))
