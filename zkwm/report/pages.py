"""Templates of self-contained HTML pages: whatever stands in them is escaped.

jinja2 is imported on first use.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from zkwm.report.visible import groups, utc, visible
from zkwm.written_dates import in_words

if TYPE_CHECKING:
    from jinja2 import Environment


def page_resource(package: str, name: str) -> str:
    """A file of the folder ``templates`` of a package as text."""
    return resources.files(package).joinpath("templates", name).read_text("utf-8")


def page_templates(package: str) -> Environment:
    """The templates in the folder ``templates`` of a package; a name that is not given fails.

    All of them have filters for foreign text, digests, times and intervals.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(lambda name: page_resource(package, name)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "groups": groups,
        "utc": utc,
        "interval": in_words,
    }
    return environment
