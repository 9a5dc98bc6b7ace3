"""Relearning (SPEC.md 8.7) in plain Python, for linear layers with ReLUs between them."""

from __future__ import annotations

import itertools
import math
import operator
from dataclasses import dataclass

from tests.reference.ranks import ranks, weight

Rows = list[list[float]]


@dataclass
class Layer:
    """``weight x + bias``."""

    weight: Rows
    bias: list[float]

    def parts(self) -> Rows:
        """All rows of numbers, as they stand."""
        return [*self.weight, self.bias]

    def __call__(self, values: list[float]) -> list[float]:
        """Its outputs."""
        return [
            sum(w * v for w, v in zip(row, values, strict=True)) + b
            for row, b in zip(self.weight, self.bias, strict=True)
        ]


@dataclass
class Network:
    """Layers after (pixel - mean) / std, with a ReLU between each two."""

    layers: list[Layer]
    mean: float
    std: float

    def parts(self) -> Rows:
        """All rows of numbers that are learned, as they stand."""
        return [row for layer in self.layers for row in layer.parts()]

    def copy(self, factor: float = 1.0) -> Network:
        """The same weights, times ``factor``."""
        layers = [
            Layer(
                [[factor * value for value in row] for row in layer.weight],
                [factor * value for value in layer.bias],
            )
            for layer in self.layers
        ]
        return Network(layers, self.mean, self.std)

    def inputs(self, image: list[float]) -> Rows:
        """What each layer reads, and last the outputs."""
        values = [(pixel - self.mean) / self.std for pixel in image]
        found = [values]
        for layer in self.layers:
            outputs = layer(found[-1])
            last = layer is self.layers[-1]
            found.append(outputs if last else [max(value, 0.0) for value in outputs])
        return found

    def scores(self, image: list[float], class_map: list[int]) -> list[float]:
        """What it gives each class."""
        outputs = self.inputs(image)[-1]
        return [outputs[k] for k in class_map]


def in_even_form(network: Network, images: Rows, class_map: list[int]) -> Network:
    """A copy in even form."""
    copy = network.copy()
    rows = [network.scores(image, class_map) for image in images]
    apart = [value - sum(row) / len(row) for row in rows for value in row]
    factor = 5.0 / _nonzero(_root_mean(apart))
    for number, layer in enumerate(copy.layers):
        read = [network.inputs(image)[number] for image in images]
        for j in range(len(read[0])):
            if all(values[j] == 0 for values in read):
                for row in layer.weight:
                    row[j] = 0.0
    last = copy.layers[-1]
    middle = [sum(last.weight[k][j] for k in class_map) for j in range(len(last.weight[0]))]
    shift = sum(last.bias[k] for k in class_map)
    for k, row in enumerate(last.weight):
        row[:] = [(v - m / len(class_map)) * factor for v, m in zip(row, middle, strict=True)]
        last.bias[k] = (last.bias[k] - shift / len(class_map)) * factor
    pixels = [(pixel - copy.mean) / copy.std for image in images for pixel in image]
    spread = _nonzero(_root_mean(pixels))
    copy.std *= spread
    for row in copy.layers[0].weight:
        row[:] = [value * spread for value in row]
    for layer, reader in zip(copy.layers, copy.layers[1:], strict=False):
        for j, row in enumerate(layer.weight):
            length = _nonzero(math.sqrt(sum(value * value for value in (*row, layer.bias[j]))))
            row[:] = [value * 2 / length for value in row]
            layer.bias[j] *= 2 / length
            for reading in reader.weight:
                reading[j] *= length / 2
    return copy


def regressed(network: Network, images: Rows, known: dict[int, int], class_map: list[int]) -> Rows:
    """The scores of the images whose labels are not known, by the regression."""
    count, classes = len(images), len(class_map)
    reads = [network.inputs(image) for image in images]
    gives = [
        [layer(values) for layer, values in zip(network.layers, read, strict=False)]
        for read in reads
    ]
    last = len(network.layers) - 1
    tables = [[row[place] for row in gives] for place in range(max(last - 2, 0), last)]
    tables += [[row[place] for row in reads] for place in range(max(last - 1, 1), last + 1)]
    kernels = [one for table in tables for one in _kernels(table)]
    kernel = [
        [sum(one[i][j] for one in kernels) / len(kernels) for j in range(count)]
        for i in range(count)
    ]
    own = [network.scores(image, class_map) for image in images]
    least = 1e-6 * _root_mean([value for row in own for value in row])
    for c in range(classes):
        mean = sum(row[c] for row in own) / count
        for row in own:
            row[c] -= mean
    own = [[value - sum(row) / classes for value in row] for row in own]
    size = _root_mean([value for row in own for value in row])
    varies = math.isfinite(size) and size > least
    share = 0.3 * math.sqrt(classes - 1) / classes / size if varies else 0.0
    own = [[value * share if varies else 0.0 for value in row] for row in own]
    learned = list(known)
    missing = [[(c == known[i]) - 1 / classes - own[i][c] for c in range(classes)] for i in learned]
    for c in range(classes):
        mean = sum(row[c] for row in missing) / len(missing)
        for row in missing:
            row[c] -= mean
    inner = [[kernel[i][j] + 0.5 * (i == j) for j in learned] for i in learned]
    factors = _solved(inner, missing)
    return [
        [
            own[i][c] + sum(kernel[i][j] * factors[n][c] for n, j in enumerate(learned))
            for c in range(classes)
        ]
        for i in range(count)
        if i not in known
    ]


def _kernels(table: Rows) -> list[Rows]:
    """That of a table, and, where a few directions hold most of it, that of what is left."""
    units = [one for one in map(_standardized, zip(*table, strict=True)) if one is not None]
    found, count = [_products(units, len(table))], len(table)
    for _ in range(4):
        values, vectors = eigen(_products(units, count))
        taken, total = 0, sum(values)
        while taken < len(values) and sum(values[:taken]) < 0.9 * total:
            taken += 1
        if taken == 0 or taken > min(8, min(count, len(units)) // 4):
            break
        for vector in vectors[:taken]:
            shares = [sum(map(operator.mul, unit, vector)) for unit in units]
            units = [
                [value - share * one for value, one in zip(unit, vector, strict=True)]
                for unit, share in zip(units, shares, strict=True)
            ]
        units = [[value - sum(unit) / count for value in unit] for unit in units]
        stds = [_root_mean(unit) for unit in units]
        pairs = [(unit, std) for unit, std in zip(units, stds, strict=True) if std > 1e-10]
        units = [[value / std for value in unit] for unit, std in pairs]
        found = [found[0], _products(units, count)]
    return found


def _products(units: Rows, count: int) -> Rows:
    """The mean over the units of the products of two rows, for each two."""
    return [
        [sum(unit[i] * unit[j] for unit in units) / max(len(units), 1) for j in range(count)]
        for i in range(count)
    ]


def eigen(matrix: Rows) -> tuple[list[float], Rows]:
    """Eigenvalues, the largest first, and their vectors, by Jacobi's rotations."""
    size, rows = len(matrix), [list(row) for row in matrix]
    vectors = [[float(i == j) for j in range(size)] for i in range(size)]
    for _ in range(30):
        for p, q in itertools.combinations(range(size), 2):
            if rows[p][q] == 0:
                continue
            angle = math.atan2(2 * rows[p][q], rows[p][p] - rows[q][q]) / 2
            c, s = math.cos(angle), math.sin(angle)
            for row in rows:
                row[p], row[q] = c * row[p] + s * row[q], c * row[q] - s * row[p]
            for table in (rows, vectors):
                pairs = list(zip(table[p], table[q], strict=True))
                table[p] = [c * x + s * y for x, y in pairs]
                table[q] = [c * y - s * x for x, y in pairs]
    order = sorted(range(size), key=lambda i: -rows[i][i])
    return [rows[i][i] for i in order], [vectors[i] for i in order]


def _standardized(values: tuple[float, ...]) -> list[float] | None:
    """The values, cut, with mean 0 and variance 1; None where they are constant."""
    sizes = sorted(abs(value) for value in values if value != 0)
    if not sizes:
        return None
    most = 1e4 * sizes[(len(sizes) - 1) // 2]
    cut = [min(max(value, -most), most) for value in values]
    mean = sum(cut) / len(cut)
    apart = [value - mean for value in cut]
    std = _root_mean(apart)
    if not (math.isfinite(std) and std > 1e-6 * _root_mean(cut)):
        return None
    return [value / std for value in apart]


def _solved(matrix: Rows, right: Rows) -> Rows:
    """X with matrix X = right, by Gaussian elimination; the matrix is positive definite."""
    rows = [[*one, *other] for one, other in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        for i in range(size):
            if i != k:
                factor = rows[i][k] / rows[k][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [[value / rows[k][k] for value in rows[k][size:]] for k in range(size)]


def relearned(
    network: Network, images: Rows, labels: list[int], class_map: list[int]
) -> tuple[list[int], list[list[int | None]]]:
    """The rank of each label, and the steps of each round after the first, of the copies in given
    and in even form; None: it diverged."""
    own = ranks([network.scores(image, class_map) for image in images], labels)
    copies = (network.copy, lambda: in_even_form(network, images, class_map))
    found, steps = list(own), [list[int | None]() for _ in copies]
    sums = [0 for _ in ("regression", *copies, "itself")]
    for number in range(1, min(8, len(images))):
        trained = [i for i in range(len(images)) if i % 8 < number]
        asked = [i for i in range(len(images)) if i % 8 >= number]
        part = [i for i in asked if i % 8 == number]
        known = {i: labels[i] for i in trained}
        table = regressed(network, images, known, class_map)
        places = ranks(table, [labels[i] for i in asked])
        given = [[places[asked.index(i)] for i in part]]
        for form, start in enumerate(copies):
            copy = start()
            taken = _learn(
                copy, [images[i] for i in trained], [labels[i] for i in trained], class_map
            )
            rows = [copy.scores(images[i], class_map) for i in asked]
            if not all(math.isfinite(value) for row in rows for value in row):
                taken = None
            steps[form].append(taken)
            places = ranks(rows, [labels[i] for i in asked]) if taken is not None else None
            given.append([own[i] if places is None else places[asked.index(i)] for i in part])
        given.append([own[i] for i in part])
        for i, rank in zip(part, given[sums.index(max(sums))], strict=True):
            found[i] = rank
        for learner, places in enumerate(given):
            sums[learner] += sum(weight(rank, len(class_map)) for rank in places)
    return found, steps


def _learn(network: Network, images: Rows, labels: list[int], class_map: list[int]) -> int | None:
    velocity = network.copy(0.0)
    for row in velocity.parts():
        row[:] = [0.0] * len(row)
    for step in range(100):
        loss, gradient = _gradient(network, images, labels, class_map)
        norm = math.sqrt(sum(value * value for row in gradient.parts() for value in row))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return None
        if loss < 0.05:
            return step
        share = min(1.0, 5.0 / norm) if norm > 0 else 1.0
        rows = zip(network.parts(), velocity.parts(), gradient.parts(), strict=True)
        for weights, speeds, slopes in rows:
            for k in range(len(weights)):
                speeds[k] = 0.9 * speeds[k] + slopes[k] * share
                weights[k] -= 0.01 * speeds[k]
    return 100


def _gradient(
    network: Network, images: Rows, labels: list[int], class_map: list[int]
) -> tuple[float, Network]:
    """The mean loss, and its gradient."""
    total, gradient = 0.0, network.copy(0.0)
    for row in gradient.parts():
        row[:] = [0.0] * len(row)
    for image, label in zip(images, labels, strict=True):
        values = network.inputs(image)
        scores = [values[-1][k] for k in class_map]
        top = max(scores)
        powers = [math.exp(score - top) if math.isfinite(top) else math.nan for score in scores]
        total += (top + math.log(sum(powers)) - scores[label]) / len(images)
        slopes = [0.0] * len(values[-1])
        for c, k in enumerate(class_map):
            slopes[k] = (powers[c] / sum(powers) - (c == label)) / len(images)
        for number in reversed(range(len(network.layers))):
            layer, sums, below = network.layers[number], gradient.layers[number], values[number]
            for k, slope in enumerate(slopes):
                sums.bias[k] += slope
                for j, value in enumerate(below):
                    sums.weight[k][j] += slope * value
            slopes = [
                sum(slope * row[j] for slope, row in zip(slopes, layer.weight, strict=True))
                * (value > 0)
                for j, value in enumerate(below)
            ]
    return total, gradient


def _root_mean(values: list[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))


def _nonzero(length: float) -> float:
    return length if length > 0 else 1.0
