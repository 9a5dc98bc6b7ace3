"""Cost of a mark in accuracy on Fashion-MNIST, from scratch and pre-trained, against no mark.

LeNet-5 by default, default settings, three seeds.

    python benchmarks/fashion_mnist.py --data fashion-mnist.npz \
        --output benchmarks/results/fashion_mnist.jsonl --models /tmp/unmarked
"""

from __future__ import annotations

import table

from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.training import EmbedSettings, default_settings


def main() -> None:
    """Train what is missing."""
    parser = table.arguments_for(__doc__, seeds=3, triggers=[200, 100, 1000], families=["secret"])
    parser.add_argument("--architecture", default="lenet5", choices=ARCHITECTURES)
    arguments = parser.parse_args()

    def settings(pretrained: bool, triggers: int, images: int, seed: int) -> EmbedSettings:
        """The settings of one training; as ``table.SettingsFor``."""
        return default_settings(
            arguments.architecture,
            pretrained=pretrained,
            images=images,
            triggers=triggers,
            seed=seed,
            device=arguments.device,
            method="plain",
        )

    table.Table("fashion_mnist", arguments, arguments.architecture, settings).make(
        arguments.seeds, arguments.families, arguments.triggers, arguments.kinds
    )


if __name__ == "__main__":
    main()
