"""Every type that a public signature names is public, too: whoever writes types can import it.

Read from the source, so that nothing heavy is imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import zkwm

ROOT = Path(__file__).parents[2]
SOURCES = {"zkwm": ROOT / "zkwm", "zkwm_protocols": ROOT / "protocols/zkwm_protocols"}
OPAQUE = {
    "ArgumentProgress",
    "Classifier",
    "IntegerNetwork",
    "JudgeKey",
    "JudgeLedger",
    "LogPolicy",
    "LoggedStatement",
    "SigningKey",
    "VaultState",
}
"""Values that callers pass on without looking inside; what they are made of stays private."""


@cache
def tree(module: str) -> ast.Module:
    """The syntax tree of a module of the product."""
    package, *rest = module.split(".")
    path = SOURCES[package].joinpath(*rest)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imports(module: str) -> dict[str, str]:
    """Each name that a module imports from the product, with the module that it comes from."""
    return {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("zkwm")
        for alias in node.names
    }


def definition(module: str, name: str) -> tuple[str, ast.stmt | None]:
    """Where a name is defined, and its class, function or assignment."""
    for node in tree(module).body:
        defined = {getattr(node, "name", None)}
        if isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
        if name in defined:
            return module, node
    if name in imports(module):
        return definition(imports(module)[name], name)
    return module, None


def annotations(node: ast.stmt | None) -> Iterator[ast.expr]:
    """Annotations of a public function, or of the public methods and fields of a class."""
    if isinstance(node, ast.FunctionDef):
        arguments = node.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        yield from (one.annotation for one in every if one.annotation is not None)
        if node.returns is not None:
            yield node.returns
    if isinstance(node, ast.ClassDef):
        for part in node.body:
            public = isinstance(part, ast.FunctionDef) and not part.name.startswith("_")
            field = isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
            if public:
                yield from annotations(part)
            elif field and not part.target.id.startswith("_"):
                yield part.annotation


def own_types(module: str, annotation: ast.expr) -> set[str]:
    """The types of the product that an annotation names."""
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return {
        name
        for name in names
        if name in imports(module)
        or (definition(module, name)[1] is not None and not name.startswith("_"))
    }


def test_every_type_of_a_public_signature_is_public() -> None:
    unknown = set()
    for name in set(zkwm.__all__) - OPAQUE:
        module, node = definition(zkwm._HOMES[name], name)
        for annotation in annotations(node):
            unknown |= {
                f"{name}: {one}" for one in own_types(module, annotation) - set(zkwm.__all__)
            }
    assert not unknown, "export it in zkwm/__init__.py, and list it in docs/python.md"


def test_every_public_name_is_defined_where_it_is_said_to_be() -> None:
    for name in zkwm.__all__:
        assert definition(zkwm._HOMES[name], name)[1] is not None, name


def test_the_version_is_that_of_the_package() -> None:
    assert zkwm.__version__
    assert not hasattr(zkwm, "no_such_name")
