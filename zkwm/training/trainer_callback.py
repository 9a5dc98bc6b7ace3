"""A callback that embeds the mark while the Trainer of Hugging Face trains.

Transformers is imported here alone. The Trainer calls the network with images and labels and takes
the loss that it returns. Hooks of the network append the triggers before that, and afterwards add
the gradient of the robust method to the loss and take the triggers' rows out of the logits
(``zkwm.training.embed_loss``). Optimizer, schedule and precision stay what they are.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor, nn
from transformers import TrainerCallback

from zkwm.files import read_limited, write_atomic
from zkwm.training.checkpoint import TENSOR_LIMIT
from zkwm.training.embed_loss import EmbedLoss
from zkwm_protocols.errors import Malformed, UsageError

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from zkwm.training.settings import EmbedSettings
    from zkwm.triggers import TriggerSet
    from zkwm_protocols.suspect_identity import Preprocessing

STATE_NAME = "zkwm-embed.safetensors"
IMAGES, LABELS = "pixel_values", "labels"


class TrainerEmbedCallback(TrainerCallback):
    """Embeds triggers in the training of an image classifier that computes its own loss.

    The state of the mark is written into the Trainer's checkpoints, so a training that is resumed
    from one in ``output_dir`` continues the mark.
    """

    def __init__(
        self,
        triggers: TriggerSet,
        *,
        settings: EmbedSettings,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        """Only keep the arguments; the Trainer calls the rest.

        Args:
            triggers: Images of the shape that the network takes, and their labels.
            settings: As of ``EmbedLoss``; the method decides how the mark is embedded.
            preprocessing: How ``pixel_values`` were made from pixels; None for pixel / 255.
        """
        self._triggers, self._settings = triggers, settings
        self._preprocessing = preprocessing
        self._mark: EmbedLoss | None = None
        self._hooks = ExitStack()

    def matches(self) -> int:
        """How many triggers get their label now. Raises UsageError before the training."""
        if self._mark is None:
            raise UsageError("no training has begun", hint="call trainer.train first")
        return self._mark.matches()

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Prepare the mark, from the checkpoint that is resumed, and hook it into the network."""
        if args.n_gpu > 1:
            raise UsageError(
                "one process trains on several GPUs (DataParallel)",
                hint="start the training with torchrun, or show it one GPU: CUDA_VISIBLE_DEVICES=0",
            )
        network = kwargs["model"]
        self._hooks.close()
        mark = self._mark = EmbedLoss(
            network,
            self._triggers,
            settings=self._settings,
            steps=state.max_steps * args.gradient_accumulation_steps,
            optimizer=kwargs.get("optimizer"),
            preprocessing=self._preprocessing,
        )
        if state.global_step:
            mark.load_state_dict(_read(_checkpoint(args, state) / STATE_NAME))
        step = _Step(mark)
        before = network.register_forward_pre_hook(step.before, with_kwargs=True)
        after = network.register_forward_hook(step.after)
        self._hooks.callback(before.remove)
        self._hooks.callback(after.remove)
        self._hooks.callback(step.close)

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Write the state of the mark into the checkpoint."""
        if self._mark is not None and state.is_world_process_zero:
            data = safetensors.save(self._mark.state_dict())
            write_atomic(_checkpoint(args, state) / STATE_NAME, data, overwrite=True)

    def on_train_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Take the hooks out of the network."""
        self._hooks.close()


class _Step:
    """The hooks of a network in training: triggers go in before a step and out after it."""

    def __init__(self, mark: EmbedLoss) -> None:
        self._mark = mark
        self._open: ExitStack | None = None
        self._clean: tuple[Tensor, Tensor] | None = None

    def before(
        self, network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Append the triggers to images and labels, unless the method itself asks the network."""
        if not network.training or self._open is not None:
            return None
        images, labels = kwargs.get(IMAGES), kwargs.get(LABELS)
        if not isinstance(images, Tensor) or not isinstance(labels, Tensor):
            raise UsageError(
                f"the Trainer calls the network without {IMAGES} or {LABELS}",
                hint="let the network compute its loss: neither label_smoothing_factor nor "
                "compute_loss_func; or use zkwm.EmbedLoss in a Trainer of your own",
            )
        self._open, self._clean = ExitStack(), (images, labels)
        shown, answers = self._open.enter_context(self._mark.mixed(images, labels))
        return args, {**kwargs, IMAGES: shown, LABELS: answers}

    def close(self) -> None:
        """Take back what a step that failed has left behind."""
        if self._open is not None:
            self._open.pop_all().__exit__(RuntimeError, RuntimeError(), None)
        self._open = self._clean = None

    def after(self, network: nn.Module, args: tuple[Any, ...], output: Any) -> Any:  # noqa: ANN401
        """Complete the loss, and give the logits of the clean images alone."""
        if not network.training or self._clean is None:
            return None
        (images, labels), self._clean = self._clean, None
        assert self._open is not None
        self._open.close()
        try:
            loss, logits = (getattr(output, name, None) for name in ("loss", "logits"))
            if not isinstance(loss, Tensor) or not isinstance(logits, Tensor):
                raise UsageError(
                    f"the network returns a {type(output).__name__} without loss and logits",
                    hint="use a network of transformers for image classification, with return_dict",
                )
            output["loss"] = loss + self._mark.addition(images, labels)
            output["logits"] = logits[: len(images)]
        finally:
            self._open = None
        return output


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    """The folder of the Trainer's checkpoint at this step."""
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"


def _read(path: Path) -> dict[str, Tensor]:
    """The stored state of a mark. Raises UsageError where there is none."""
    if not path.exists():
        raise UsageError(
            f"the training resumes without the state of its mark, {path}",
            hint="resume from a checkpoint that this callback has written, in output_dir",
        )
    try:
        return safetensors.load(read_limited(path, TENSOR_LIMIT))
    except (SafetensorError, ValueError):
        raise Malformed(f"{path} is not a safetensors file") from None
