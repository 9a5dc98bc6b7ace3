"""Cost of a mark in accuracy on CIFAR-10, with ResNet-18 as in Adi et al.

The whole run needs a GPU (60 epochs over 50,000 images):

    python benchmarks/cifar10.py --data cifar10.npz \
        --output benchmarks/results/cifar10.jsonl --models /tmp/unmarked

``--epochs`` shortens it for a machine without a GPU: the rate drops after each third, everything
else stays, and bfloat16 is used on the CPU too. Such a run shows whether the mark is learned, not
what the method reaches:

    python benchmarks/cifar10.py --data cifar10-subset.npz --epochs 3 --kinds only-scratch \
        --output benchmarks/results/cifar10.jsonl --models /tmp/unmarked
"""

from __future__ import annotations

import table

from zkwm.training import EmbedSettings, default_settings


def main() -> None:
    """Train what is missing."""
    parser = table.arguments_for(__doc__, seeds=1, triggers=[100], families=["secret"])
    parser.add_argument("--epochs", type=int, help="instead of the authors' 60")
    arguments = parser.parse_args()

    def settings(pretrained: bool, triggers: int, images: int, seed: int) -> EmbedSettings:
        """The settings of one training; as ``table.SettingsFor``."""
        changes: dict[str, object] = {
            "seed": seed,
            "device": arguments.device,
            "method": "plain",
        }
        if arguments.epochs:
            changes["epochs"] = arguments.epochs // 2 if pretrained else arguments.epochs
            changes["drop_every"] = max(arguments.epochs // 3, 1)
            changes["precision"] = "bfloat16"
        return default_settings(
            "resnet18", pretrained=pretrained, images=images, triggers=triggers, **changes
        )

    table.Table("cifar10", arguments, "resnet18", settings).make(
        arguments.seeds, arguments.families, arguments.triggers, arguments.kinds
    )


if __name__ == "__main__":
    main()
