"""Look at a suspect before anybody asks: what it answers, and what answering would cost.

The owner asks it their own triggers, in the limited process in which a judge would. Nothing leaves
this machine, no block is spent, no bit is told, and nothing is written: not into the vault, not
beside it. An endpoint is refused (SPEC.md 6.2): its operator would see triggers in the clear.
Decoys hide which images count, and not that these may; blocks that a stranger holds are spent.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zkwm.owner.check_argument import check_argument
from zkwm.owner.disclosure import own_file, pixels_of, require_own_beacon, secrets_of
from zkwm.owner.inquiry import Answered, Inquiry
from zkwm.owner.spent_blocks import spent_blocks
from zkwm.owner.suspect_check import BlockCheck, SuspectCheck
from zkwm.suspects import Progress, Suspect, open_suspect
from zkwm.suspects.location import is_endpoint
from zkwm_protocols.challenge_body import NONCE_BYTES
from zkwm_protocols.class_map import class_map_cost, usual_class_map, verify_class_map
from zkwm_protocols.class_names import require_names
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.errors import UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm.owner.vault import Vault, VaultState


def check(
    vault: Vault,
    commitment: Commitment,
    suspect: Suspect | str | Path,
    *,
    preprocessing: Preprocessing | None = None,
    class_map: tuple[int, ...] | None = None,
    suspect_classes: tuple[str, ...] | None = None,
    policy: Policy | None = None,
    argument: bool = True,
    test_data: ImageData | None = None,
    progress: Progress | None = None,
    **suspect_options: Any,  # noqa: ANN401
) -> SuspectCheck:
    """What a suspect answers to the triggers of a commitment, told to nobody but their owner.

    Every block is asked, spent ones too: a model that answers these alone worse was trained
    against what was opened. Evidence counts unspent blocks only: the first ones, which ``prove``
    opens by itself, or those that match best where fewer of them suffice.
    ``vault.notice`` says afterwards where the vault is an older copy.

    Args:
        vault: holds the secrets of the commitment; only read.
        commitment: the owner's.
        suspect: an open suspect, or its location; ``suspect_options`` then go to
            ``zkwm.open_suspect``.
        preprocessing: how pixels become its input; ``Preprocessing()`` by default.
        class_map: its output for each label; by default that of the same name where both sides
            name their classes, else the same number.
        suspect_classes: the names of its outputs, taken from the suspect itself.
        policy: what a judge would demand, and j. By default ``Policy()``, with j one more than the
            answers about this commitment in the vault (``answers_given``).
        argument: find out too whether an argument in zero knowledge is possible, which takes
            longer: the integer network is made, and compared with the file.
        test_data: labeled images of the suspect's task, for that.
        progress: called with the images answered so far, and those in all.

    Raises:
        UsageError: the suspect is an endpoint, or the vault does not hold the commitment.
        InvalidOpening: suspect or class map do not fit the commitment, or its file begins with
            another token than the vault's.
        SuspectUnusable: the suspect cannot be asked so.
        VaultUnusable: the vault cannot be read.
    """
    state, header = vault.look(), commitment.header
    own = secrets_of(state, commitment)
    commitment = own_file(own, commitment)
    commitment.verify()
    require_own_beacon(own, commitment)
    preprocessing = preprocessing or Preprocessing()
    policy = policy or Policy(functions_tried=1 + answers_given(state, commitment))
    with ExitStack() as stack:
        if isinstance(suspect, str | Path):
            _require_file(remote=is_endpoint(suspect))
            suspect = open_suspect(suspect, shape=header.shape, **suspect_options)
            stack.enter_context(closing(suspect))
        _require_file(remote=suspect.remote)
        mapped, map_bits = _class_map(suspect, commitment, class_map, suspect_classes)
        _prepare(suspect, commitment, preprocessing)
        labels = commitment.labels() if own.labels is None else np.array(own.labels, np.int64)
        return _look(Inquiry(
            state, commitment, suspect, preprocessing, mapped, map_bits, policy,
            pixels_of(own.images, header.shape), labels, test_data, progress,
        ), argument=argument)  # fmt: skip


def answers_given(state: VaultState, commitment: Commitment) -> int:
    """The answers about a commitment that left this vault.

    Each is to a challenge about one function, so that judges who know of no others count no more.
    """
    openings = sum(one.commitment_digest == commitment.digest for one in state.openings())
    return openings + sum(bool(one.response) for one in state.arguments(commitment.digest))


def _look(inquiry: Inquiry, *, argument: bool) -> SuspectCheck:
    """Ask, count and weigh."""
    commitment, suspect, header = inquiry.commitment, inquiry.suspect, inquiry.commitment.header
    answers = suspect.answer(inquiry.images, inquiry.preprocessing, progress=inquiry.progress)
    answered = Answered(inquiry, answers)
    spent = spent_blocks(inquiry.state, commitment)
    free = tuple(block for block in range(header.block_count) if block not in spent)
    return SuspectCheck(
        suspect=suspect.identity,
        commitment=commitment.digest,
        class_count=header.class_count,
        block_size=header.block_size,
        declared_labels=header.label_mode != LabelMode.DERIVED,
        functions_tried=inquiry.policy.functions_tried,
        answers_given=answers_given(inquiry.state, commitment),
        map_bits=inquiry.map_bits,
        blocks=tuple(
            BlockCheck(
                block, answered.matches((block,)), answered.count((block,)), block not in free
            )
            for block in range(header.block_count)
        ),
        openings=tuple(answered.openings(free)),
        argument=check_argument(inquiry, free) if argument else None,
    )


def _class_map(
    suspect: Suspect,
    commitment: Commitment,
    class_map: tuple[int, ...] | None,
    names: tuple[str, ...] | None,
) -> tuple[tuple[int, ...], int]:
    """The class map that a judge would take, and its cost. Raises InvalidOpening, Malformed."""
    if names is None:
        names = suspect.output_names
    if names is not None:
        require_names(names)
    if class_map is None:
        class_map = usual_class_map(commitment, names)
    verify_class_map(class_map, suspect.identity, names, commitment)
    return class_map, class_map_cost(class_map, suspect.identity, names, commitment)


def _prepare(suspect: Suspect, commitment: Commitment, preprocessing: Preprocessing) -> None:
    """Check that the suspect can be asked so, as a judge does. Raises what that raises."""
    suspect.check_committed(commitment.header)
    suspect.check_preprocessing(preprocessing)
    suspect.try_out(preprocessing)
    suspect.draw_probes(secrets.token_bytes(NONCE_BYTES))


def _require_file(*, remote: bool) -> None:
    """Raise UsageError for a suspect that others operate."""
    if remote:
        raise UsageError(
            "an endpoint is not checked: whoever runs it would see your triggers and could train "
            "them away, so that all of them would be spent; nothing was sent",
            hint="check the model's file; where you have none, let a judge challenge the endpoint: "
            "that opens one block, hidden among decoys, and the vault records it",
        )
