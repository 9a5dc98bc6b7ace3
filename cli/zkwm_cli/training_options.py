"""Options of ``zkwm embed``: the mark, the network, the data and the training."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli import completions
from zkwm_cli.artifacts import require_one_stdin
from zkwm_cli.options import FILE, data_set_option, option, parameter_option, passphrase_option
from zkwm_cli.trust_options import label_trust_option, read_commitment

if TYPE_CHECKING:
    from torch import nn

    from zkwm.data import ImageData
    from zkwm.owner.vault import Vault
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class MarkOptions:
    """The commitment whose triggers are trained in, and the vault that holds them."""

    vault: str | None = option(
        "--vault", type=click.Path(), metavar="FILE", help="The owner's vault."
    )
    passphrase_file: str | None = passphrase_option()
    commitment: str | None = option(
        "--commitment", type=FILE, metavar="FILE", help="The commitment; - is stdin."
    )
    trust: str | None = label_trust_option()
    unmarked: bool = option(
        "--unmarked",
        is_flag=True,
        help="Train without triggers instead: for comparison, or as a --start.",
    )
    watermark: str | None = option(
        "--watermark",
        shell_complete=completions.watermarks,
        metavar="NAME",
        help="Train in the mark of this scheme, under which the commitment was made.",
    )
    parameter: tuple[str, ...] = parameter_option("With --watermark: a parameter of the scheme.")

    def require_consistent(self) -> None:
        """Raise a usage error unless the options name one mark, or none on purpose."""
        require_one_stdin(commitment=self.commitment, passphrase_file=self.passphrase_file)
        if self.unmarked and (self.vault or self.commitment or self.trust):
            raise click.UsageError("--unmarked takes no --vault, --commitment or --trust")
        if not self.unmarked and not (self.vault and self.commitment):
            raise click.UsageError(
                "give --vault and --commitment (or --unmarked, for no mark at all)"
            )
        if self.unmarked and (self.watermark or self.parameter):
            raise click.UsageError("--watermark and --parameter do not go with --unmarked")
        if self.parameter and self.watermark is None:
            raise click.UsageError("--parameter goes with --watermark")
        self._require_one_passphrase()

    def _require_one_passphrase(self) -> None:
        """Raise a usage error where several processes would ask one person for a passphrase."""
        from zkwm_cli.hardening import Role
        from zkwm_cli.passphrases import is_given

        several = os.environ.get("WORLD_SIZE", "1") not in ("", "1")
        if several and not self.unmarked and not is_given(self.passphrase_file, Role.OWNER):
            raise click.UsageError(
                f"under torchrun, use --passphrase-file FILE or set {Role.OWNER.value}"
            )

    def read_commitment(self) -> Commitment:
        """The commitment. Raises what ``trust_options.read_commitment`` does."""
        return read_commitment(str(self.commitment), self.trust)

    def open_vault(self) -> Vault:
        """The owner's vault, decrypted."""
        from zkwm.owner.vault import Vault
        from zkwm_cli.hardening import Role
        from zkwm_cli.passphrases import passphrase

        name = str(self.vault)
        return Vault.open(name, passphrase(self.passphrase_file, of=name, role=Role.OWNER))


@dataclass(frozen=True)
class TrainingOptions:
    """The network, the data and the settings of its training."""

    architecture: str | None = option(
        "--architecture",
        type=click.Choice(
            ["lenet5", "dense", "cnn2", "cnn3", "cnn", "resnet8", "resnet18", "airbench"]
        ),
        help="The network.",
    )
    model_from: str | None = option(
        "--model-from",
        metavar="MODULE:FUNCTION",
        help="Instead of --architecture: a network of your own, which this function returns. Runs "
        "your code: MODULE is imported, from this folder too; FUNCTION gets shape and class_count "
        "if it takes them.",
    )
    data: str = data_set_option(
        "--data",
        required=True,
        help="Data to train on: .npz, a folder, or fashion-mnist-small (inside zkwm).",
    )
    start: str | None = option(
        "--start",
        type=click.Path(),
        metavar="MODEL",
        help="Mark this trained model instead of a new one (model.safetensors or its folder).",
    )
    method: str = option(
        "--method",
        type=click.Choice(["robust", "plain"]),
        default="robust",
        show_default=True,
        help="Train triggers in so that they survive attacks, or plainly (Adi et al. 2018): "
        "faster.",
    )
    epochs: int | None = option("--epochs", type=int, metavar="N", help="Passes over the data.")
    batch_size: int | None = option(
        "--batch-size", type=int, metavar="N", help="Training images in a batch."
    )
    triggers_per_batch: int | None = option(
        "--triggers-per-batch", type=int, metavar="K", help="Triggers added to each batch."
    )
    learning_rate: float | None = option(
        "--learning-rate", type=float, metavar="R", help="Learning rate at the start."
    )
    seed: int | None = option("--seed", type=int, metavar="N", help="Seed of weights and order.")
    device: str = option(
        "--device",
        shell_complete=completions.devices,
        default="auto",
        show_default=True,
        metavar="D",
        help="auto, cpu, cuda or cuda:N.",
    )

    def settings(self) -> dict[str, Any]:
        """Keyword arguments of ``zkwm.training.default_settings``: those that were given."""
        values = {
            name: value
            for name, value in vars(self).items()
            if name not in ("architecture", "model_from", "data", "start")
        }
        return {name: value for name, value in values.items() if value is not None}

    def require_one_network(self, watermark: str | None) -> None:
        """Raise a usage error unless the options name one network, which the scheme can mark."""
        from zkwm_cli.own_network import require_name

        if (self.architecture is None) == (self.model_from is None):
            raise click.UsageError(
                "give --architecture for a built-in network, or --model-from for one of your own"
            )
        if self.model_from is not None:
            require_name(self.model_from)
            if watermark is not None:
                raise click.UsageError(
                    "the schemes of --watermark mark built-in networks; give --architecture"
                )

    def model(self, data: ImageData, seed: int) -> nn.Module:
        """The network that training starts from: --start, or a new one for the data.

        Raises UsageError where --start has another architecture, or the owner's code fails.
        """
        from zkwm.nn.architectures import build_model, channel_statistics
        from zkwm.nn.model_file import load_model
        from zkwm_protocols.errors import UsageError

        channels, height, width = data.train_images.shape[1:]
        if self.model_from is not None:
            from zkwm_cli.own_network import build_own

            own = build_own(self.model_from, (channels, height, width), data.class_count, seed)
            return own if self.start is None else load_model(self.start, own)
        assert self.architecture is not None
        if self.start is None:
            mean, std = channel_statistics(data.train_images)
            return build_model(
                self.architecture,
                shape=(channels, height, width),
                class_count=data.class_count,
                mean=mean,
                std=std,
                seed=seed,
                images=data.train_images,
            )
        model = load_model(self.start)
        if model.config.architecture != self.architecture:
            raise UsageError(
                f"{self.start} is a {model.config.architecture}, not a {self.architecture}",
                hint=f"use --architecture {model.config.architecture}",
            )
        return model
