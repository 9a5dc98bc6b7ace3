"""ResNet-20 and -18, MobileNetV2, VGG-11, a narrow airbench for 3x32x32; weights are random.

And ResNet-50 as torchvision has it (He et al. 2016), an eighth as wide, for 3x56x56: a quarter of
the sides of ImageNet's images, none of which is a power of two before the last stages.

ResNet-20 (He et al. 2016, option B) is written node by node with ``onnx.helper``, as tools other
than PyTorch do, with its batch norms, and ResNet-18, the built-in network of 11.2 million weights,
so and by PyTorch's tracing exporter; MobileNetV2 (Sandler et al. 2018) comes from PyTorch's
tracing exporter, VGG-11 (Simonyan and Zisserman 2015, with batch norms) from its newer one, and so
does ``airbench``, which the package builds in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from zkwm.nn.airbench import airbench, whiten
from zkwm.nn.architectures import BasicBlock, Normalize, build_model
from zkwm.nn.onnx_export import to_onnx
from zkwm.quantizer import random_images

SHAPE = (3, 32, 32)
QUARTER = (3, 56, 56)


def resnet20(_: Path) -> bytes:
    """Three stages of three residual blocks with 16, 32 and 64 channels."""
    torch.manual_seed(1)
    stem, blocks, channels = _normed(3, 16, 3), list[BasicBlock](), 16
    for outputs, first in ((16, 1), (32, 2), (64, 2)):
        for stride in (first, 1, 1):
            blocks.append(BasicBlock(channels, outputs, stride))
            channels = outputs
    head = nn.Linear(64, 10)
    _with_statistics(nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head))
    return _residual(_Nodes(), "images", stem, blocks, head)


def resnet18(folder: Path) -> bytes:
    """Four stages of two residual blocks with 64 to 512 channels, by the tracing exporter."""
    path = folder / "resnet18.onnx"
    torch.onnx.export(
        _resnet18(), (torch.zeros(1, *SHAPE),), path, dynamo=False,
        dynamic_axes={"images": {0: "n"}}, input_names=["images"], output_names=["logits"],
    )  # fmt: skip
    return path.read_bytes()


def resnet18_by_nodes(_: Path) -> bytes:
    """The same network, with its normalization of pixels, node by node."""
    model = _resnet18()
    blocks = [layer for layer in model.modules() if isinstance(layer, BasicBlock)]
    layers = list(model.modules())
    stem = nn.Sequential(
        next(layer for layer in layers if isinstance(layer, nn.Conv2d)),
        next(layer for layer in layers if isinstance(layer, nn.BatchNorm2d)),
    )
    head = next(layer for layer in layers if isinstance(layer, nn.Linear))
    graph = _Nodes()
    half, quarter = (graph.constant(torch.tensor(value)) for value in (0.5, 0.25))
    value = graph.add("Div", graph.add("Sub", "images", half), quarter)
    return _residual(graph, value, stem, blocks, head)


def _resnet18() -> nn.Module:
    """The built-in network."""
    normal = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    model = build_model("resnet18", shape=SHAPE, class_count=10, seed=5, **normal)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # statistics are means over what was seen: once is enough
    return _with_statistics(model, passes=1)


def _residual(
    graph: _Nodes, images: str, stem: nn.Sequential, blocks: list[BasicBlock], head: nn.Linear
) -> bytes:
    """A residual network of basic blocks, node by node."""
    value = graph.add("Relu", graph.normed(images, stem[0], stem[1]))
    for block in blocks:
        inner = graph.add("Relu", graph.normed(value, block.conv1, block.bn1))
        inner = graph.normed(inner, block.conv2, block.bn2)
        if isinstance(block.shortcut, nn.Sequential):
            value = graph.normed(value, block.shortcut[0], block.shortcut[1])
        value = graph.add("Relu", graph.add("Add", inner, value))
    value = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    weights, bias = graph.constant(head.weight), graph.constant(head.bias)
    graph.add("Gemm", value, weights, bias, name="logits", transB=1)
    return graph.file()


class _Nodes:
    """A graph that grows node by node."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def normed(self, value: str, convolution: nn.Module, norm: nn.Module) -> str:
        """A convolution and its batch norm."""
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        stride, pad = convolution.stride[0], convolution.kernel_size[0] // 2
        weights = self.constant(convolution.weight)
        value = self.add("Conv", value, weights, strides=[stride] * 2, pads=[pad] * 4)
        facts = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        return self.add("BatchNormalization", value, *map(self.constant, facts), epsilon=norm.eps)

    def constant(self, values: Tensor | None) -> str:
        """The name of a new constant."""
        assert values is not None
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values.detach().numpy(), name))
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """The name of a new node's output."""
        name = name or f"value{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def file(self) -> bytes:
        """The file, with an open batch."""
        graph = helper.make_graph(
            self._nodes,
            "residual network",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", *SHAPE])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def mobilenet_v2(folder: Path) -> bytes:
    """Seventeen inverted residuals of half the usual width, by the tracing exporter."""
    torch.manual_seed(2)
    layers: list[nn.Module] = [_normed(3, 16, 3, act=nn.ReLU6)]
    channels = 16
    for factor, outputs, count, first in (
        (1, 8, 1, 1), (6, 12, 2, 1), (6, 16, 3, 2), (6, 32, 4, 2),
        (6, 48, 3, 1), (6, 80, 3, 2), (6, 160, 1, 1),
    ):  # fmt: skip
        for stride in (first, *[1] * (count - 1)):
            layers.append(_Inverted(channels, outputs, stride, factor))
            channels = outputs
    layers += [_normed(channels, 640, 1, act=nn.ReLU6), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model = _with_statistics(nn.Sequential(*layers, nn.Linear(640, 10)))
    path = folder / "mobilenet_v2.onnx"
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["logits"]}
    torch.onnx.export(
        model, (torch.zeros(1, *SHAPE),), path, dynamo=False,
        dynamic_axes={"images": {0: "n"}}, **names,
    )  # fmt: skip
    return path.read_bytes()


def vgg11(_: Path) -> bytes:
    """Eight convolutions and five maxima, by the newer exporter, as one file."""
    torch.manual_seed(3)
    layers: list[nn.Module] = []
    channels = 3
    for outputs in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        layers.append(_normed(channels, outputs, 3) if outputs else nn.MaxPool2d(2))
        channels = outputs or channels
    model = _with_statistics(nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10)))
    program = torch.onnx.export(
        model, (torch.zeros(2, *SHAPE),), dynamo=True, external_data=False, verbose=False,
        input_names=["images"],
        dynamic_shapes=({0: torch.export.Dim("n")},),
    )  # fmt: skip
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def narrow_airbench(_: Path) -> bytes:
    """The built-in network with few channels, as ``save_model`` writes it."""
    torch.manual_seed(4)
    network = airbench(SHAPE, 10, (8, 16, 16))
    norm = Normalize((0.5,) * 3, (0.25,) * 3)
    first = network.get_submodule("0")
    assert isinstance(first, nn.Conv2d)
    whiten(first, random_images(SHAPE, 64, b"whitened"), norm.mean, norm.std)
    return to_onnx(_with_statistics(nn.Sequential(norm, network)), SHAPE)


def resnet50(folder: Path) -> bytes:
    """Sixteen bottlenecks behind a kernel of 7 by 7 and an overlapping pool, for ``QUARTER``."""
    torch.manual_seed(4)
    layers: list[nn.Module] = [_normed(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 8
    for inner, count, first in ((8, 3, 1), (16, 4, 2), (32, 6, 2), (64, 3, 2)):
        for stride in (first, *[1] * (count - 1)):
            layers.append(_Bottleneck(channels, inner, stride))
            channels = 4 * inner
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    model = _with_statistics(nn.Sequential(*layers), QUARTER)
    path = folder / "resnet50.onnx"
    torch.onnx.export(
        model, (torch.zeros(1, *QUARTER),), path, dynamo=False,
        dynamic_axes={"images": {0: "n"}}, input_names=["images"], output_names=["logits"],
    )  # fmt: skip
    return path.read_bytes()


class _Bottleneck(nn.Module):
    """Narrower, a kernel of 3 by 3 with the stride, four times as wide; and what it read."""

    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _normed(inputs, inner, 1),
            _normed(inner, inner, 3, stride),
            _normed(inner, 4 * inner, 1, act=None),
        )
        changes = stride > 1 or inputs != 4 * inner
        self.shortcut = _normed(inputs, 4 * inner, 1, stride, act=None) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return torch.relu(y + (self.shortcut(x) if self.shortcut is not None else x))


def _normed(
    inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1, act: Any = nn.ReLU
) -> nn.Sequential:
    """A convolution, its batch norm, and ``act``."""
    convolution = nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), act() if act else nn.Identity())


class _Inverted(nn.Module):
    """An inverted residual: wider, a kernel for each channel, narrower."""

    def __init__(self, inputs: int, outputs: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = inputs * factor
        widen = [_normed(inputs, wide, 1, act=nn.ReLU6)] if factor > 1 else []
        each = _normed(wide, wide, 3, stride, groups=wide, act=nn.ReLU6)
        self.layers = nn.Sequential(*widen, each, _normed(wide, outputs, 1, act=None))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


def _with_statistics(
    model: nn.Module, shape: tuple[int, int, int] = SHAPE, passes: int = 20
) -> nn.Module:
    """The model in evaluation, after its batch norms have seen random images.

    The mean of each score over them is taken off, so that labels depend on the image.
    """
    images = torch.from_numpy(random_images(shape, 64, b"statistics")).float() / 255
    with torch.no_grad():
        model.train()
        for _ in range(passes):
            model(images)
        model.eval()
        last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
        last.bias.sub_(model(images).mean(dim=0))
    return model
