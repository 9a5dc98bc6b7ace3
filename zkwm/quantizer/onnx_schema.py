"""Type a node of an ONNX file by the operator's schema in the file's opset.

Attributes, defaults and numbers of inputs come from the schemas of the onnx package, so that every
later reader finds the type that the operator demands, or the node is refused by name.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.foreign_text import printable
from zkwm_protocols.errors import Malformed, Unsupported

if TYPE_CHECKING:
    import onnx

FIRST_OPSET = 7
LAST_OPSET = 24
"""Before 7 broadcasting was another; 24 is the newest that ONNX Runtime 1.23 runs."""
MAXIMUM_LIST = 1 << 20

Attribute: TypeAlias = "int | float | bytes | list[int] | list[float] | list[bytes] | NDArray[Any]"


class SchemaFault(Exception):
    """A node is not one of the operator's schema; ``str`` says why."""


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators. Raises Malformed or Unsupported."""
    versions = [int(item.version) for item in model.opset_import if is_onnx(item.domain)]
    if len(versions) != 1:
        raise Malformed(f"the file names {len(versions)} versions of ONNX's operators, not one")
    if not FIRST_OPSET <= versions[0] <= LAST_OPSET:
        raise Unsupported(
            f"the file is of opset {versions[0]}; {FIRST_OPSET} to {LAST_OPSET} are read",
            hint="export it again with another opset_version",
        )
    return versions[0]


def is_onnx(domain: str) -> bool:
    """Whether a domain is that of ONNX itself."""
    return domain in ("", "ai.onnx")


def attributes_of(node: onnx.NodeProto, opset: int) -> dict[str, Attribute]:
    """The attributes by name, with the defaults of the operator's schema filled in.

    Raises SchemaFault for an operator, attribute, type or number of inputs that the schema does not
    know, Malformed or Unsupported for a damaged tensor.
    """
    import onnx

    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except Exception:  # onnx raises an error type of its C++ part
        raise SchemaFault(f"ONNX has no such operation in opset {opset}") from None
    if schema.deprecated:
        raise SchemaFault(f"ONNX has no such operation any more in opset {opset}")
    _check_count("inputs", len(node.input), schema.min_input, schema.max_input)
    _check_count("outputs", len(node.output), schema.min_output, schema.max_output)
    attributes: dict[str, Attribute] = {}
    for attribute in node.attribute:
        name = printable(attribute.name, 50)
        if attribute.name not in schema.attributes:
            raise SchemaFault(f"opset {opset} knows no attribute {name!r} of it")
        if attribute.name in attributes:
            raise SchemaFault(f"the attribute {name!r} stands there twice")
        expected: Any = schema.attributes[attribute.name].type
        if attribute.ref_attr_name or attribute.type != expected.value:
            raise SchemaFault(f"the attribute {name!r} has another type than in ONNX")
        attributes[attribute.name] = _value(attribute)
    for name, known in schema.attributes.items():
        if name not in attributes:
            if known.required:
                raise SchemaFault(f"it lacks the attribute {name!r}")
            if known.default_value.name:
                attributes[name] = _value(known.default_value)
    return attributes


def integer_inputs(operator: str, opset: int) -> frozenset[int]:
    """The numbers of the inputs that are integers by the schema: axes, sizes, places."""
    import onnx

    schema = onnx.defs.get_schema(operator, opset, "")
    return frozenset(
        number
        for number, item in enumerate(schema.inputs)
        if item.types <= {"tensor(int64)", "tensor(int32)"}
    )


def _check_count(what: str, count: int, least: int, most: int) -> None:
    """Raise SchemaFault unless a node has as many inputs or outputs as its schema says."""
    if not least <= count <= most:
        raise SchemaFault(f"it has {count} {what}, where ONNX has {least} to {most}")


def _value(attribute: onnx.AttributeProto) -> Attribute:
    """The value of an attribute by its type. Raises SchemaFault for kinds that are not read."""
    import onnx

    kinds, name = onnx.AttributeProto, printable(attribute.name, 50)
    if attribute.type == kinds.TENSOR:
        return array_of(attribute.t)
    if attribute.type == kinds.INT:
        return int(attribute.i)
    if attribute.type == kinds.STRING:
        return bytes(attribute.s)
    if attribute.type == kinds.FLOAT:
        if not math.isfinite(attribute.f):
            raise SchemaFault(f"the attribute {name!r} is NaN or infinite")
        return float(attribute.f)
    fields = {kinds.INTS: attribute.ints, kinds.FLOATS: attribute.floats,
              kinds.STRINGS: attribute.strings}  # fmt: skip
    if attribute.type not in fields:
        raise SchemaFault(f"the attribute {name!r} is of a kind that is not read")
    values = list(fields[attribute.type])
    if len(values) > MAXIMUM_LIST:
        raise SchemaFault(f"the attribute {name!r} has more than {MAXIMUM_LIST:,} entries")
    if attribute.type == kinds.FLOATS and not np.isfinite(values).all():
        raise SchemaFault(f"the attribute {name!r} holds NaN or an infinity")
    return values


def array_of(tensor: onnx.TensorProto) -> NDArray[Any]:
    """A constant in its own type: bool, integers, float16, float32 or float64.

    Infinities are kept, since a Clip may have them. Raises Malformed for a damaged tensor or one
    with NaN, Unsupported for other types and for external data.
    """
    from onnx import numpy_helper

    name = printable(tensor.name, 100)
    if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
        raise Unsupported(
            f"the weights {name!r} lie in another file, which the model's digest does not cover",
            hint="torch.onnx.export writes one file with external_data=False",
        )
    try:
        array = numpy_helper.to_array(tensor)
    except Exception:  # onnx raises whatever numpy does
        raise Malformed(f"the constant {name!r} is damaged") from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise Unsupported(
            f"the constant {name!r} has a type that is not supported",
            hint="export the model with constants of float32",
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise Malformed(f"the constant {name!r} holds NaN")
    return array
