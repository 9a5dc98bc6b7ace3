from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).with_name("small_training.py")


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The module small_training beside this file."""
    specification = importlib.util.spec_from_file_location("small_training", PROGRAM)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["small_training"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def small_program() -> Path:
    return PROGRAM
