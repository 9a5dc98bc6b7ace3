"""A grid: data and its shares, training, seeds, watermarks, attacks and claims.

Plain data with strict reading from a map of plain values, so that a typing error is refused before
hours of training. ``grid_file`` reads the YAML, ``zkwm.evaluation.run`` measures. Does not import
torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any, TypeVar

from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.training.settings import EmbedSettings
from zkwm_protocols.errors import UsageError

PLAIN = (bool, int, float, str)
MAXIMUM_ENTRIES = 200
TRAINING = tuple(f.name for f in fields(EmbedSettings) if f.name not in ("seed", "device"))


@dataclass(frozen=True)
class Entry:
    """A watermark, attack or claim of a grid.

    Args:
        name: In the tables of ``zkwm.watermarks`` and ``zkwm.attacks``.
        label: How tables call it; different within a list.
        parameters: Those of its class that differ from the defaults.
    """

    name: str
    label: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class WatermarkEntry(Entry):
    """A watermark.

    Args:
        architecture: The network that it is embedded in; empty for the grid's.
        seeds: How many of the grid's seeds it is measured on, the first ones; 0 for all.
    """

    architecture: str = ""
    seeds: int = 0


@dataclass(frozen=True)
class AttackEntry(Entry):
    """An attack.

    Args:
        attacker_images: Labeled images of its adversary; 0 for the grid's number.
        seeds: How many of the grid's seeds it is measured on, the first ones; 0 for all.
        watermarks: Labels of the watermarks that it is run against; empty for all.
    """

    attacker_images: int = 0
    seeds: int = 0
    watermarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """Everything that is to be measured; the fields are the keys of a grid file.

    Args:
        data: What ``zkwm.data.load_data`` takes.
        owner_images: Training images of the owner.
        attacker_images: Labeled images of an adversary, disjoint from the owner's.
        training: Fields of ``EmbedSettings``, for the unmarked model; epochs and learning_rate at
            least.
        watermarks: At least one.
        attacks: Each is run against each mark.
        claims: False claims, each made against the null models.
        title: Of the report.
        architecture: Of all networks but those of entries with their own.
        device: ``cpu``, ``cuda`` or ``auto``.
        seeds: Different whole numbers from 0 to 9,999; each is one owner and one adversary.
        test_images: How many are used; 0 for all.
        probes: Images that the judge publishes, disjoint from all others.
        unlabeled_images: Images of the task that adversaries have without labels, disjoint from all
            others.
        null_models: Unmarked networks that each mark is read from.
        opened_block: Whether adversaries may use the first block of triggers.
        relearning: Whether triggers are relearned, too (SPEC.md 8.7), which takes most of a minute
            a cell for a small network, and minutes for a deeper one.

    Raises:
        UsageError: A value is of the wrong type or out of range.
    """

    data: str
    owner_images: int
    attacker_images: int
    training: dict[str, Any]
    watermarks: tuple[WatermarkEntry, ...]
    attacks: tuple[AttackEntry, ...]
    claims: tuple[Entry, ...] = ()
    title: str = ""
    architecture: str = "lenet5"
    device: str = "cpu"
    seeds: tuple[int, ...] = (0,)
    test_images: int = 0
    probes: int = 200
    unlabeled_images: int = 0
    null_models: int = 0
    opened_block: bool = True
    relearning: bool = False

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise UsageError(f"{name} is a whole number of {low:,} to {high:,}, not {value!r}")
        for name in ("data", "title", "architecture", "device"):
            if type(getattr(self, name)) is not str:
                raise UsageError(f"{name} is a text, not {getattr(self, name)!r}")
        for name in ("opened_block", "relearning"):
            if type(getattr(self, name)) is not bool:
                raise UsageError(f"{name} is yes or no, not {getattr(self, name)!r}")
        whole = all(type(seed) is int and 0 <= seed < 10_000 for seed in self.seeds)
        if not self.seeds or not whole or len(set(self.seeds)) < len(self.seeds):
            raise UsageError("seeds are different whole numbers from 0 to 9,999")
        self._check_entries()
        self.settings(self.seeds[0])

    def _check_entries(self) -> None:
        """Raise UsageError for an unknown architecture, a repeated label or an empty list."""
        for name in self.architectures:
            if name not in ARCHITECTURES:
                near = get_close_matches(name, ARCHITECTURES, n=1)
                hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(ARCHITECTURES)}"
                raise UsageError(f"there is no architecture {name!r}", hint=hint)
        for kind, entries in self.lists.items():
            labels = [entry.label for entry in entries]
            if twice := sorted({label for label in labels if labels.count(label) > 1}):
                raise UsageError(
                    f"two {kind} are called {twice[0]!r}", hint="give each a label of its own"
                )
        if not self.watermarks:
            raise UsageError("a grid has at least one watermark")
        if self.claims and self.null_models < LEAST_NULL_MODELS:
            raise UsageError(
                f"false claims need {LEAST_NULL_MODELS} null_models: two are the accuser's, the "
                "others their victims",
                hint=f"set null_models to {LEAST_NULL_MODELS} or more, or leave out claims",
            )
        numbers = [("attacker_images", e.label, e.attacker_images) for e in self.attacks]
        numbers += [("seeds", mark.label, mark.seeds) for mark in self.watermarks]
        numbers += [("seeds", attack.label, attack.seeds) for attack in self.attacks]
        for name, owner, number in numbers:
            if type(number) is not int or number < 0:
                raise UsageError(
                    f"{name} of {owner} is a whole number of at least 0, not {number!r}"
                )
        labels = [entry.label for entry in self.watermarks]
        for attack in self.attacks:
            for label in attack.watermarks:
                if label not in labels:
                    near = get_close_matches(str(label), labels, n=1)
                    raise UsageError(
                        f"{attack.label} is run against {label!r}, which is no watermark's label",
                        hint=f"did you mean {near[0]}?" if near else f"one of {', '.join(labels)}",
                    )

    @property
    def lists(self) -> dict[str, tuple[Entry, ...]]:
        """The three lists by their keys in a file."""
        return {"watermarks": self.watermarks, "attacks": self.attacks, "claims": self.claims}

    @property
    def architectures(self) -> tuple[str, ...]:
        """All networks that occur, the grid's own first, each once."""
        return tuple(
            dict.fromkeys((self.architecture, *map(self.architecture_of, self.watermarks)))
        )

    def architecture_of(self, entry: WatermarkEntry) -> str:
        """The network that a watermark is embedded in."""
        return entry.architecture or self.architecture

    def images_of(self, entry: AttackEntry) -> int:
        """The number of labeled images that the adversary of an attack has."""
        return entry.attacker_images or self.attacker_images

    def seeds_of(self, *entries: WatermarkEntry | AttackEntry) -> tuple[int, ...]:
        """The seeds on which a watermark, an attack or both are measured."""
        return self.seeds[: min(entry.seeds or len(self.seeds) for entry in entries)]

    def attacks_on(self, entry: WatermarkEntry, seed: int) -> tuple[AttackEntry, ...]:
        """The attacks that are run against a watermark with a seed."""
        return tuple(
            attack
            for attack in self.attacks
            if entry.label in (attack.watermarks or (entry.label,))
            and seed in self.seeds_of(entry, attack)
        )

    @property
    def attacker_counts(self) -> tuple[int, ...]:
        """All numbers of images that an adversary has, ascending."""
        return tuple(sorted({self.attacker_images, *map(self.images_of, self.attacks)}))

    def settings(self, seed: int) -> EmbedSettings:
        """The training of the unmarked model. Raises UsageError for a value out of range."""
        return EmbedSettings(**self.training, seed=seed, device=self.device)

    def with_data(self, data: str) -> Grid:
        """The same grid on other data."""
        return replace(self, data=data)

    def with_seeds(self, count: int) -> Grid:
        """The same grid on its first ``count`` seeds."""
        return replace(self, seeds=self.seeds[:count])

    def to_map(self) -> dict[str, Any]:
        """All fields as JSON can hold them; ``from_map`` reads them again."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_map(cls, values: Mapping[str, Any]) -> Grid:
        """Read a map of plain values.

        Raises:
            UsageError: A key is unknown (the nearest one is the hint) or missing, or a value is of
                the wrong type or out of range.
        """
        checked = dict(values)
        require_keys(checked, [field.name for field in fields(cls)], "a grid")
        for name in ("data", "owner_images", "attacker_images", "training", "watermarks"):
            if name not in checked:
                raise UsageError(f"a grid needs the key {name}")
        checked["training"] = _training(checked["training"])
        seeds = checked.get("seeds", [0])
        if not isinstance(seeds, list | tuple):
            raise UsageError("seeds are a list of whole numbers")
        checked["seeds"] = tuple(seeds)
        checked["watermarks"] = _entries(checked["watermarks"], "watermarks", WatermarkEntry)
        checked["attacks"] = _entries(checked.get("attacks", []), "attacks", AttackEntry)
        checked["claims"] = _entries(checked.get("claims", []), "claims", Entry)
        return cls(**checked)


LEAST_NULL_MODELS = 3
_RANGES = (
    ("owner_images", 10, 100_000_000),
    ("attacker_images", 10, 100_000_000),
    ("test_images", 0, 100_000_000),
    ("probes", 1, 1_000_000),
    ("unlabeled_images", 0, 100_000_000),
    ("null_models", 0, 10_000),
)
_EntryType = TypeVar("_EntryType", bound=Entry)


def require_keys(values: Mapping[str, Any], allowed: list[str], what: str) -> None:
    """Raise UsageError for a key that ``what`` does not have, with the nearest one as hint."""
    for name in values:
        if name not in allowed:
            near = get_close_matches(str(name), allowed, n=1)
            raise UsageError(
                f"{what} has no key {str(name)!r}",
                hint=f"did you mean {near[0]}?" if near else f"it has {', '.join(allowed)}",
            )


def _training(values: Any) -> dict[str, Any]:  # noqa: ANN401
    """The map of training settings, checked."""
    if not isinstance(values, dict):
        raise UsageError("training is a map of settings, such as epochs and learning_rate")
    require_keys(values, list(TRAINING), "training")
    for name in ("epochs", "learning_rate"):
        if name not in values:
            raise UsageError(f"training needs the key {name}")
    return values


def _entries(
    values: Any,  # noqa: ANN401
    kind: str,
    entry_type: type[_EntryType],
) -> tuple[_EntryType, ...]:
    """The entries of a list. Raises UsageError with the place of a fault."""
    if not isinstance(values, list | tuple) or len(values) > MAXIMUM_ENTRIES:
        raise UsageError(f"{kind} is a list of at most {MAXIMUM_ENTRIES} entries")
    return tuple(_entry(value, f"{kind}[{i}]", entry_type) for i, value in enumerate(values))


def _entry(value: Any, place: str, entry_type: type[_EntryType]) -> _EntryType:  # noqa: ANN401
    """An entry: a name alone, or a map with name, fields of ``entry_type``, and parameters."""
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise UsageError(f"{place} is a name, or a map that says name")
    entry_fields = {field.name for field in fields(entry_type)} - {"parameters"}
    parameters = value.get("parameters", {})
    if not isinstance(parameters, dict):
        raise UsageError(f"{place}: parameters is a map of names and values")
    parameters |= {k: v for k, v in value.items() if k not in entry_fields and k != "parameters"}
    for name, parameter in parameters.items():
        if not isinstance(name, str) or type(parameter) not in PLAIN:
            raise UsageError(f"{place}: the parameter {name!r} is not a plain value: {parameter!r}")
    settings = {k: v for k, v in value.items() if k in entry_fields}
    words = (f"{k}={v:g}" if type(v) is float else f"{k}={v}" for k, v in parameters.items())
    label = settings.setdefault("label", " ".join((settings["name"], *words)))
    if not isinstance(label, str) or not label.strip() or len(label) > 80:
        raise UsageError(f"{place}: a label is a text of at most 80 characters")
    if not isinstance(settings.get("architecture", ""), str):
        raise UsageError(f"{place}: the architecture is a name")
    if "watermarks" in settings:
        settings["watermarks"] = _labels(settings["watermarks"], place)
    return entry_type(parameters=parameters, **settings)


def _labels(values: object, place: str) -> tuple[str, ...]:
    """The labels of watermarks that an attack is run against. Raises UsageError."""
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise UsageError(f"{place}: watermarks is a list of labels")
    return tuple(values)
