"""The integer network (SPEC.md 16): its model, bounds, file, evaluation and transposed maps.

Not here: how one is made from a suspect's file (that needs onnx), and the argument about it.
"""
