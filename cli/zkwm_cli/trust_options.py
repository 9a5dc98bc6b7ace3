"""Options about dates: whom to trust to date a commitment, and when the suspect was published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from zkwm_cli.artifacts import read_parsed
from zkwm_cli.options import option, usage_errors

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment
    from zkwm_protocols.dates import Published
    from zkwm_protocols.trust import Trust


def trust_option(explanation: str) -> Any:  # noqa: ANN401
    """--trust"""
    return option("--trust", type=click.Path(), metavar="FOLDER", help=explanation)


def read_trust_option(folder: str | None) -> Trust | None:
    """Whom the folder says to trust; None where none was given. Raises what ``read_trust`` does."""
    if folder is None:
        return None
    from zkwm.trust_folder import read_trust

    return read_trust(folder)


def read_commitment(name: str, trust: str | None) -> Commitment:
    """A commitment for somebody who trusts this folder.

    Raises Malformed, Unsupported or CouldNotCheck, and what ``read_trust`` does.
    """
    from zkwm_protocols.commitment import FILE_LIMIT, Commitment

    commitment = read_parsed(name, FILE_LIMIT, Commitment.from_bytes)
    trusted = read_trust_option(trust)
    return commitment if trusted is None else replace(commitment, authorities=trusted.authorities)


def label_trust_option() -> Any:  # noqa: ANN401
    """--trust of commands that need the labels"""
    return trust_option(
        "Where the commitment names a timestamp authority: a trust folder that has its root, for "
        "its token fixes the labels (docs/registration.md)."
    )


@dataclass(frozen=True)
class DateTerms:
    """Who dates the commitment, when the suspect was published, which has to be older."""

    trust: str | None = trust_option(
        "Whom you trust to date the commitment: a folder (docs/registration.md). zkwm verify then "
        "needs the same folder."
    )
    suspect_published: str | None = option(
        "--suspect-published",
        metavar="DATE",
        help="When the suspect was published, as you found it: 2026-03-01, 2026-03-01T12:30:00Z, "
        "or two of them with / between.",
    )
    published_source: str = option(
        "--published-source",
        default="",
        metavar="TEXT",
        help="With --suspect-published: how you know, such as an address. The verdict has it.",
    )
    older: bool = option(
        "--older",
        is_flag=True,
        help="Demand that the commitment be older than the suspect: the verdict is not proven "
        "otherwise. Takes --trust and --suspect-published.",
    )

    def require_consistent(self) -> None:
        """Raise a usage error for one of date and source alone, or a demand without dates."""
        given = {
            "--trust": self.trust is not None,
            "--suspect-published": self.suspect_published is not None,
            "--published-source": bool(self.published_source),
        }
        missing = [name for name, there in given.items() if not there]
        if self.older and missing:
            raise click.UsageError(
                f"--older takes {', '.join(given)}; missing: {', '.join(missing)}"
            )
        if given["--suspect-published"] != given["--published-source"]:
            raise click.UsageError("--suspect-published and --published-source go together")

    def fixed(self) -> dict[str, Any]:
        """Keyword arguments of ``Judge.challenge`` and ``Judge.challenge_argument``."""
        return {"published": self._published(), "trust": read_trust_option(self.trust)}

    def _published(self) -> Published | None:
        """When the suspect was published. Raises UsageError."""
        if self.suspect_published is None:
            return None
        from zkwm.written_dates import read_date
        from zkwm_protocols.dates import Published

        with usage_errors("--suspect-published: "):
            interval = read_date(self.suspect_published)
        with usage_errors("--published-source: "):
            return Published(interval, self.published_source)
