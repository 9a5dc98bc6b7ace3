"""A suspect behind an HTTP endpoint, queried by one of the protocols of ``http_adapter``.

A request carries one image, and a reply with status 200 its answer. Status 408, 429 and 5xx, a
broken connection and a timeout mean that no answer arrived: the image is sent again, a few times.
Any other reply is final, usable or not: an image that was answered is never sent again in the same
preprocessing, even if the judge has it twice.

Decoys and the random order are the judge's (``zkwm.judge.query``). An endpoint may answer the judge
otherwise than others; the digest of a URL does not pin a model.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from zkwm.files import read_limited
from zkwm.suspects.http_adapter import (
    TEMPLATE_LIMIT,
    Adapter,
    AdapterSettings,
    answer_from_reading,
    answer_from_reply,
    make_adapter,
)
from zkwm.suspects.http_connection import EndpointConnection, NoResponseError, Reply
from zkwm.suspects.http_json import ReplyError
from zkwm.suspects.http_named_scores import HINTS
from zkwm.suspects.limits import HttpProtocol, HttpSettings
from zkwm.suspects.score_check import require_classes, trial_images
from zkwm.suspects.suspect import (
    CHECK,
    NOT_ASKED,
    Answer,
    Progress,
    QueryRecord,
    Suspect,
    gray_image,
    require_images,
    require_outputs,
)
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable
from zkwm_protocols.suspect_identity import (
    Account,
    Preprocessing,
    SuspectIdentity,
    SuspectKind,
)

MOST_SILENT = 10
GONE = f"not asked: {MOST_SILENT} images before it got no reply at all"
_LONGEST_PAUSE = 20.0


def endpoint_digest(url: str) -> bytes:
    """The digest of an endpoint in a challenge, 32 bytes (SPEC.md 4.3)."""
    return hashlib.sha256(b"zkwm-endpoint-1" + url.encode("utf-8")).digest()


class HttpSuspect(Suspect):
    """The endpoint at ``url``; ``headers`` go with each request.

    They choose whose answers come back, so the identity has their names and a salted digest of
    their values, which are shown nowhere.

    Sends one gray image to count the outputs; where ``outputs`` or their names are given,
    ``try_out`` sends it. Raises UsageError for a URL, headers, names or a template that cannot be
    used, Malformed for such a template, SuspectUnusable (check ``suspect.answers``) if that image
    gets no usable answer, or only a label, which does not reveal the number of outputs.
    """

    remote = True

    def __init__(
        self,
        url: str,
        *,
        shape: tuple[int, int, int],
        outputs: int | None,
        headers: Mapping[str, str],
        settings: HttpSettings,
        protocol: HttpProtocol | None = None,
    ) -> None:
        protocol = protocol or HttpProtocol()
        named = protocol.adapter == "zkwm"
        self._connection = EndpointConnection(url, headers, settings, names_itself=named)
        self._settings = settings
        sent = dict(headers)
        self._header_names = {name.lower() for name in sent}
        # A closure, so that no dump of this object shows a value.
        self._has_account: Callable[[Account], bool] = lambda account: account.is_of(sent)
        self._next_request = 0.0
        self._records: dict[tuple[bytes, Preprocessing], QueryRecord] = {}
        try:
            self._adapter = self._made_adapter(url, shape, protocol)
            self.reads_names = self._adapter.names_outputs
            if self.reads_names:
                self.output_names = protocol.names
            if self.output_names is not None:
                count = require_outputs(len(self.output_names), outputs)
            elif outputs is not None:
                count = require_outputs(outputs, None)
            else:
                count = self._count_outputs(shape, self._adapter.counting_preprocessing(), None)
        finally:
            self.close()
        self.identity = SuspectIdentity(
            kind=SuspectKind.HTTP,
            digest=endpoint_digest(url),
            description=url,
            outputs=count,
            shape=shape,
            output=protocol.output,
            adapter=protocol.adapter,
            account=Account.of(headers, secrets.token_bytes(32)),
            template=self._adapter.template_digest,
        )

    def _made_adapter(
        self, url: str, shape: tuple[int, int, int], protocol: HttpProtocol
    ) -> Adapter:
        """The adapter of a protocol; it may ask the endpoint what it says of itself."""
        file = self._settings.template
        template = None if file is None else read_limited(file, TEMPLATE_LIMIT)
        settings = AdapterSettings(
            url, shape, protocol.output, protocol.names, template, self._describe
        )
        return make_adapter(protocol.adapter, settings)

    @property
    def records(self) -> tuple[QueryRecord, ...]:
        """Every image sent by ``answer`` so far, in order."""
        return tuple(self._records.values())

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable, or Malformed, unless the protocol can send images so."""
        self._adapter.check_preprocessing(preprocessing)

    def check_account(self, account: Account | None) -> None:
        """Compare names and values of the headers under the salt; see ``Suspect.check_account``."""
        names = self._header_names
        pinned = set() if account is None else set(account.header_names)
        if account is None or names != pinned:
            if names == pinned:
                return
            reason = f"has or lacks the headers {', '.join(sorted(names ^ pinned))}"
        elif self._has_account(account):
            return
        else:
            reason = f"has another value of {' or '.join(account.header_names)}"
        raise InvalidOpening(
            f"the account at hand is not the challenge's: it {reason}",
            hint="give exactly the headers that the challenge was made with (`headers`)",
            check="challenge.suspect",
        )

    def try_out(self, preprocessing: Preprocessing) -> tuple[Answer, ...]:
        """Send a few images, so that no challenge is about an endpoint that cannot answer.

        They are in no record: what they are answered counts for nothing.
        """
        self.check_preprocessing(preprocessing)
        deadline = time.monotonic() + self._settings.total_seconds
        try:
            self._count_outputs(self.identity.shape, preprocessing, self.identity.outputs)
            answers: list[Answer] = []
            for image in trial_images(self.identity.shape):
                answers.append(self._ask(image, preprocessing, b"", deadline).answer)
                if answers[-1].output is None:  # it may be silent for long, again and again
                    break
            require_classes(tuple(answers))
        finally:
            self.close()
        return tuple(answers)

    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """Query images uint8 (n, c, h, w) one by one, in order; see ``Suspect.answer``.

        An image sent before in this preprocessing is not sent again: its recorded answer, or
        problem, stands. After ``MOST_SILENT`` images in a row without any reply the rest are not
        sent.
        """
        require_images(images, self.identity.shape)
        self.check_preprocessing(preprocessing)
        deadline = time.monotonic() + self._settings.total_seconds
        answers = []
        silent = 0
        for index, image in enumerate(images):
            digest = hashlib.sha256(image.tobytes()).digest()
            asked = (digest, preprocessing)  # what is sent depends on both
            if asked not in self._records:
                if silent >= MOST_SILENT or time.monotonic() >= deadline:
                    problem = GONE if silent >= MOST_SILENT else NOT_ASKED
                    answers.append(Answer(None, problem))
                    continue
                record = self._ask(image, preprocessing, digest, deadline)
                no_reply = (
                    record.answer.output is None and record.attempts == self._settings.attempts
                )
                silent = silent + 1 if no_reply else 0
                self._records[asked] = record
            answers.append(self._records[asked].answer)
            if progress is not None:
                progress(index + 1, len(images))
        return tuple(answers)

    def close(self) -> None:
        """Close the connection; the records stay."""
        self._connection.close()

    def _ask(
        self,
        image: NDArray[np.uint8],
        preprocessing: Preprocessing,
        digest: bytes,
        deadline: float,
    ) -> QueryRecord:
        """Send one image uint8 (c, h, w) until ``deadline``, and record the outcome."""
        start = time.monotonic()
        body, attempts = self._reply(image, preprocessing, deadline)
        if isinstance(body, Answer):
            answer = body
        else:
            answer = answer_from_reply(self._adapter, body, self.identity.outputs)
        return QueryRecord(digest, preprocessing, answer, attempts, time.monotonic() - start)

    def _reply(
        self, image: NDArray[np.uint8], preprocessing: Preprocessing, deadline: float
    ) -> tuple[bytes | Answer, int]:
        """(body of the first reply with status 200 or a problem, number of attempts)."""
        question = self._adapter.question(image, preprocessing)
        return self._exchange(partial(self._connection.post, question), deadline)

    def _exchange(
        self, send: Callable[[float], Reply], deadline: float
    ) -> tuple[bytes | Answer, int]:
        """As ``_reply``; ``send`` makes one attempt within a number of seconds."""
        attempt = 0
        while True:
            attempt += 1
            left = self._wait_for_turn(deadline)
            pause = self._settings.backoff_seconds * 2.0 ** (attempt - 1)
            try:
                reply = send(min(self._settings.request_seconds, left))
            except NoResponseError as reason:
                problem, again = str(reason), not reason.final
            else:
                if reply.status == 200:
                    return reply.body, attempt
                problem, again = _status_problem(reply)
                pause = max(pause, reply.retry_after)
            pause = min(pause, _LONGEST_PAUSE)
            if not again or attempt >= self._settings.attempts:
                return Answer(None, problem), attempt
            if time.monotonic() + pause >= deadline:
                return Answer(None, problem), attempt
            time.sleep(pause)

    def _wait_for_turn(self, deadline: float) -> float:
        """Wait as the rate demands; return the seconds until ``deadline``, at least 0.01."""
        if self._settings.requests_per_second is not None:
            time.sleep(max(0.0, min(self._next_request, deadline) - time.monotonic()))
            self._next_request = time.monotonic() + 1.0 / self._settings.requests_per_second
        return max(0.01, deadline - time.monotonic())

    def _count_outputs(
        self, shape: tuple[int, int, int], preprocessing: Preprocessing, expected: int | None
    ) -> int:
        """Send a gray image and count the scores. Raises SuspectUnusable."""
        deadline = time.monotonic() + self._settings.total_seconds
        body, _ = self._reply(gray_image(shape)[0], preprocessing, deadline)
        try:
            reading = body if isinstance(body, Answer) else self._adapter.read(body, expected)
        except ReplyError as reason:
            reading = Answer(None, str(reason))
        if isinstance(reading, int) and expected is None:
            raise SuspectUnusable(
                "the endpoint answers with labels, which do not reveal how many outputs there are",
                hint="give the number of its outputs (`outputs`)",
                check=CHECK,
            )
        count = expected or 0
        if isinstance(reading, list):
            count = require_outputs(len(reading), expected)
        answer = reading if isinstance(reading, Answer) else answer_from_reading(reading, count)
        if answer.output is None:
            raise SuspectUnusable(
                f"the endpoint gives no usable answer: {answer.problem}",
                hint=HINTS.get(
                    answer.problem,
                    "check the URL, the headers, and which protocol it speaks (`adapter`)",
                ),
                check=CHECK,
            )
        return count

    def _describe(self) -> bytes:
        """What the endpoint says of itself where its URL is asked by GET.

        Raises SuspectUnusable.
        """
        deadline = time.monotonic() + self._settings.total_seconds
        body, _ = self._exchange(self._connection.get, deadline)
        if isinstance(body, Answer):
            raise SuspectUnusable(
                f"the endpoint does not describe its model: {body.problem}",
                hint="check the URL and the headers",
                check=CHECK,
            )
        return body


def _status_problem(reply: Reply) -> tuple[str, bool]:
    """The problem of a reply with another status than 200, and whether to send again."""
    if 300 <= reply.status < 400:
        return f"it redirects (HTTP {reply.status}), which is not followed", False
    return f"HTTP {reply.status}", reply.status in (408, 429) or reply.status >= 500
