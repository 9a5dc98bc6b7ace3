"""Optional libraries: the table agrees with pyproject.toml, and a missing one names its extra."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from zkwm.extras import EXTRAS, FRAMEWORKS, missing_extra, require
from zkwm_protocols.errors import UsageError

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

DISTRIBUTIONS = {"pkcs11": "python-pkcs11"}  # where it has another name than the package


def names(requirements: list[str]) -> set[str]:
    """The distributions that requirements name."""
    return {re.split(r"[\[<>=~! ;]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize(("library", "extra"), EXTRAS.items())
def test_each_library_is_installed_by_its_extra_alone(library: str, extra: str) -> None:
    assert DISTRIBUTIONS.get(library, library) in names(PROJECT["optional-dependencies"][extra])
    assert library not in names(PROJECT["dependencies"])


@pytest.mark.parametrize(("library", "extra"), EXTRAS.items())
def test_a_missing_library_names_its_extra(
    library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError) as caught:
        require("json", library)
    assert caught.value.hint == f"pip install 'zkwm[{extra}]'"


@pytest.mark.parametrize(("library", "command"), FRAMEWORKS.items())
def test_a_missing_framework_names_its_own_installation(
    library: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError) as caught:
        require(library)
    assert caught.value.hint == f"pip install {command}"
    assert library in names(PROJECT["optional-dependencies"]["dev"])  # tests use the real one


def test_other_modules_are_not_the_business_of_an_extra() -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        require("zkwm_no_such_module")
    assert missing_extra(caught.value) is None
