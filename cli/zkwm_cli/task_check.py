"""``zkwm challenge --test-data``: read the data, show progress, tell what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zkwm_cli.option_names import in_options
from zkwm_cli.terminal import ProgressLine, note, warn

if TYPE_CHECKING:
    from zkwm.judge.task_accuracy import TaskAccuracy, TaskData
    from zkwm_protocols.challenge import Challenge


class TaskCheck:
    """A context around ``Judge.challenge``, which takes ``data`` as its test data.

    Args:
        location: where the test data are, or None.

    Raises what ``zkwm.data.load_test_data`` raises.
    """

    def __init__(self, location: str | None) -> None:
        from zkwm.data import load_test_data
        from zkwm.judge.task_accuracy import TaskData

        self._line = ProgressLine()
        self._measured: TaskAccuracy | None = None
        self.data: TaskData | None = None
        if location is not None:
            self.data = TaskData(load_test_data(location), self._report, self._progress)

    @property
    def named(self) -> bool:
        """Whether the labels of the test data have names."""
        return self.data is not None and self.data.images.names is not None

    def __enter__(self) -> TaskCheck:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.end()

    def tell(self, challenge: Challenge) -> None:
        """Print what the suspect gets right, or warn that nothing was checked."""
        from zkwm.judge.usual_preprocessings import as_arguments
        from zkwm_protocols.challenge import ArgumentChallenge
        from zkwm_protocols.suspect_identity import SuspectKind

        if challenge.suspect.kind == SuspectKind.EXTRACTION:
            return
        if self._measured is None:
            argued = isinstance(challenge, ArgumentChallenge)
            lost = "a bit is told" if argued else "the opened blocks are spent"
            warn(
                "NOTHING WAS CHECKED about how images are fed to the suspect: with a mean, scale "
                "or order of channels that is wrong even a marked model ends as not proven, and "
                f"{lost}; give --test-data"
            )
            return
        accuracy, better = self._measured.accuracy, self._measured.better
        note(
            f"fed like this the suspect gives {accuracy.right:,} of {accuracy.count:,} test images "
            "their label"
        )
        if better is not None:
            warn(
                f"{in_options(better.words())}; make sure that you ask the function that is in use"
            )
        elif self._measured.undecided:
            ways = "; ".join(
                in_options(as_arguments(one.preprocessing)) for one in self._measured.undecided
            )
            note(f"test images do not tell this from {ways}; see the suspect's documentation")

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        measured = self._measured
        better = None if measured is None else measured.better
        return {
            "test_accuracy": None if measured is None else measured.accuracy.to_json(),
            "better_preprocessing": None if better is None else better.to_json(),
        }

    def _report(self, measured: TaskAccuracy) -> None:
        """Keep what was measured."""
        self._measured = measured
        self._line.end()

    def _progress(self, done: int, count: int) -> None:
        """Show how many images the suspect has answered."""
        self._line.update(f"asking the suspect test images: {done} of {count}")
