"""Write docs/onnx-operators.md from the tables of the quantizer: ``python docs/onnx_operators.py``.

One row for each operator, with the first sentence of what translates it.
"""

from __future__ import annotations

from pathlib import Path

from zkwm.quantizer.constant_folding import FOLDED, MAXIMUM_ENTRIES
from zkwm.quantizer.onnx_file import INPUT_TYPES, MAXIMUM_NODES
from zkwm.quantizer.onnx_schema import FIRST_OPSET, LAST_OPSET
from zkwm.quantizer.translate import LAST, MOST_NAMED, OPERATORS

PAGE = Path(__file__).parent / "onnx-operators.md"


def page() -> str:
    """The whole page."""
    rows = "\n".join(
        f"| `{name}` | {(OPERATORS[name].__doc__ or '').splitlines()[0]} |"
        for name in sorted(OPERATORS)
    )
    folded = ", ".join(f"`{name}`" for name in sorted(FOLDED))
    last = ", ".join(f"`{name}`" for name in LAST)
    return f"""# ONNX operators

What the quantizer reads of an ONNX file, for zero-knowledge arguments.
This page is written by `docs/onnx_operators.py` from the code.
A model with anything else can still be judged by an opening (`zkwm challenge --reveal`).

Opsets {FIRST_OPSET} to {LAST_OPSET}, at most {MAXIMUM_NODES:,} nodes.
One input of {", ".join(INPUT_TYPES.values())} (`uint8` where only a `Cast` reads it): images
with their channels first or last, pixels in a row, or images without their one channel.
`zkwm quantize` names all nodes that stand in the way, up to {MOST_NAMED}.

| operator | what of it |
|---|---|
{rows}

Int8 files (QDQ: floats between `DequantizeLinear` and `QuantizeLinear`) are read, and round
as their nodes say.
Where a sum lies at a tie, single precision decides which way it goes.
One such value may move an image's scores by more than the judge allows (SPEC.md 18.1): of small
networks some arguments are refused for it (check `argument.translation`), of deeper ones nearly
all.
Ask for an opening then, or make the argument about the float model if that is the suspect.

At the end of a model {last} are left out, since they change no label.

Of constants alone these are computed in the file's own types, up to {MAXIMUM_ENTRIES:,} entries:
{folded}.

## Refused by name

- attributes that ONNX's schema does not know in the file's opset, of another type, NaN or infinite;
- names given twice, nodes out of order, operators of other domains, functions defined in the file;
- casts of computed tensors to anything but `float32` and `float64`;
- the number of images anywhere but as the first size of a `Reshape`;
- integers between a `QuantizeLinear` and a `DequantizeLinear` that any other operator reads;
    operators of integers (`QLinearConv`, `QLinearMatMul`, `ConvInteger`, `MatMulInteger`);
    scales of activations that differ by channel;
- `Resize`, `LayerNormalization` and every operator that stands in no table here.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
