"""What is frozen in ``goldens.json``: ``python -m tests.goldens.frozen`` writes it anew.

Regenerate it only where a change of behavior is intended, and say in CHANGELOG what changed.
"""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import re
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

ROOT = Path(__file__).parents[2]
GOLDENS = Path(__file__).with_name("goldens.json")
TRAINING = Path(__file__).with_name("training.json")
VECTORS = ROOT / "spec/vectors"
PRODUCT = (ROOT / "zkwm", ROOT / "protocols/zkwm_protocols", ROOT / "cli/zkwm_cli")
_DOMAIN = re.compile(rb"^zkwm[a-z]*([-/][a-z-]+)*([-/]v?\d+)?$")


def commands() -> dict[str, Any]:
    """Each command's parameters: how they are written, types, defaults, what is required."""
    from zkwm_cli.main import program

    return _commands_of(program)


def _commands_of(group: click.Group) -> dict[str, Any]:
    """The commands of a group, those of groups in it too."""
    context, found = click.Context(group), {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inside = isinstance(command, click.Group)
        found[name] = _commands_of(command) if inside else _parameters(command)
    return found


def _parameters(command: click.Command | None) -> dict[str, Any]:
    assert command is not None
    return {
        str(parameter.name): {
            "written": [*parameter.opts, *parameter.secondary_opts],
            "type": _plain(parameter.type.to_info_dict()),
            "required": parameter.required,
            "multiple": parameter.multiple,
            "nargs": parameter.nargs,
            "flag": bool(getattr(parameter, "is_flag", False)),
            "default": _plain(parameter.default),
        }
        for parameter in command.params
    }


def _plain(value: Any) -> Any:
    """A value as JSON has it; what click puts where there is no default is none."""
    return json.loads(json.dumps(value, default=lambda other: None))


def registries() -> dict[str, Any]:
    """Watermarks, attacks and claims, with their parameters and defaults."""
    from zkwm.attacks import ATTACKS, CLAIMS, attack_class, claim_class
    from zkwm.named_classes import parameters_of
    from zkwm.watermarks import WATERMARKS, watermark_class

    return {
        "watermarks": {name: parameters_of(watermark_class(name)) for name in WATERMARKS},
        "attacks": {name: parameters_of(attack_class(name)) for name in ATTACKS},
        "claims": {name: parameters_of(claim_class(name)) for name in CLAIMS},
    }


def scheme_tags() -> dict[str, str]:
    """The digest that each scheme whose marks are extracted writes into its keys."""
    from zkwm.extraction.keys import scheme_tag
    from zkwm.watermarks import WATERMARKS, make_watermark

    schemes = [make_watermark(name) for name in WATERMARKS]
    return {scheme.name: scheme_tag(scheme).hex() for scheme in schemes}


def checks() -> dict[str, list[str]]:
    """The ids of a judge's checks, in order."""
    from zkwm.judge.checks import ARGUMENT_TITLES, TITLES

    return {"opening": list(TITLES), "argument": list(ARGUMENT_TITLES)}


def exit_codes() -> dict[str, int]:
    """The exit codes by name."""
    from zkwm_cli.exits import Exit

    return {code.name: int(code) for code in Exit}


def domain_strings() -> list[str]:
    """Every constant of the product that looks like a prefix, a personalization or a schema."""
    found = set()
    for folder in PRODUCT:
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                    value = (
                        node.value.encode("utf-8", "replace")
                        if isinstance(node.value, str)
                        else node.value
                    )
                    if _DOMAIN.match(value) and (b"-" in value or b"/" in value or len(value) == 8):
                        found.add(value.decode())
    return sorted(found)


def vectors() -> dict[str, str]:
    """SHA-256 of each file of test vectors."""
    files = [path for path in sorted(VECTORS.iterdir()) if path.suffix in (".json", ".proof")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def public_names() -> list[str]:
    """What ``import zkwm`` offers."""
    import zkwm

    return zkwm.__all__


def everything() -> dict[str, Any]:
    """All that does not depend on the machine."""
    return {
        "commands": commands(),
        "registries": registries(),
        "scheme_tags": scheme_tags(),
        "checks": checks(),
        "exit_codes": exit_codes(),
        "domain_strings": domain_strings(),
        "vectors": vectors(),
        "public_names": public_names(),
    }


def machine() -> str:
    """What the last bits of a training depend on."""
    capability = torch.backends.cpu.get_cpu_capability()
    return f"torch {torch.__version__}, {platform.machine()}, {capability}"


def trained(method: str, architecture: str) -> dict[str, Any]:
    """A training with fixed seeds, one thread: the digest, and some of its numbers."""
    from zkwm.data import ImageData
    from zkwm.nn.architectures import build_model
    from zkwm.nn.digests import model_digest
    from zkwm.training import EmbedSettings, embed
    from zkwm.triggers import TriggerSet

    random = np.random.default_rng(5)
    shape, classes = (1, 12, 12), 4
    images = random.integers(0, 256, (140, *shape), dtype=np.uint8)
    labels = random.integers(0, classes, 140)
    data = ImageData(images[:100], labels[:100], images[100:], labels[100:], classes, "noise")
    triggers = TriggerSet(
        images=random.integers(0, 2, (10, *shape), dtype=np.uint8) * 255,
        labels=random.integers(0, classes, 10),
        family="blocks",
        block_size=5,
        class_count=classes,
    )
    model = build_model(
        architecture, shape=shape, class_count=classes, mean=(0.5,), std=(0.3,), seed=3
    )
    settings = EmbedSettings(
        epochs=2,
        learning_rate=0.02,
        batch_size=20,
        triggers_per_batch=4,
        method=method,
        device="cpu",
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = embed(model, data, triggers, settings=settings)
    finally:
        torch.set_num_threads(threads)
    state = {k: v.double() for k, v in result.model.state_dict().items() if v.is_floating_point()}
    return {
        "digest": model_digest(result.model).hex(),
        "norms": {name: float(tensor.norm()) for name, tensor in state.items()},
    }


TRAININGS = (("plain", "lenet5"), ("robust", "lenet5"), ("robust", "resnet8"))


def trainings() -> dict[str, Any]:
    """All trainings with fixed seeds."""
    return {f"{method} {name}": trained(method, name) for method, name in TRAININGS}


if __name__ == "__main__":
    GOLDENS.write_text(json.dumps(everything(), indent=1) + "\n")
    known = json.loads(TRAINING.read_text()) if TRAINING.exists() else {"digests": {}}
    made = trainings()
    known["norms"] = {name: training["norms"] for name, training in made.items()}
    known["digests"][machine()] = {name: training["digest"] for name, training in made.items()}
    TRAINING.write_text(json.dumps(known, indent=1) + "\n")
