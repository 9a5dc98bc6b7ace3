"""What an owner is shown before they answer: all that a challenge fixes, not the file alone.

A judge who asks in another way (another output, an account of their own, colors in another order,
labels dealt anew) asks another function: the block would be spent on it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.cli.test_endpoint_protocols import marked
from tests.support.case_files import PASSPHRASE, Command, Files, spent
from tests.support.http_services import kserve, serving
from zkwm.judge.key_file import open_judge_key
from zkwm_protocols import suspect_identity
from zkwm_protocols.challenge import Challenge


def shown(zkwm: Command, case: Files, **changes: object) -> str:
    """What the owner of a case sees of a challenge to whose judge they do not answer."""
    result = zkwm(*case.prove_options(judge_fingerprint="nobody", **changes))
    assert result.code == 2
    assert spent(case) == 1
    return " ".join(result.stderr.split())


def rewritten(case: Files, **changes: object) -> None:
    """The case's judge changes their challenge and signs it again."""
    path = case.folder / "new.challenge"
    key = open_judge_key(case.judge, PASSPHRASE).signing
    asked = replace(Challenge.from_bytes(path.read_bytes()), signature=b"", **changes)
    path.write_bytes(asked.signed_by(key).to_bytes())


def test_an_endpoint_is_shown_as_it_is_asked(zkwm: Command, case: Files) -> None:
    headers = case.folder / "headers"
    headers.write_text("Authorization: Bearer s3cret\nX-Tenant: thief-27\n")
    route = kserve(
        marked(case),
        shape=(-1, 1, 16, 16),
        decode=lambda values: np.rint(values[0] * 255),
        outputs=("aux", "scores"),
    )
    with serving(route, "/v2/models/m") as service:
        made = zkwm(
            *case.challenge_options(
                model=service.url, adapter="kserve", header_file=headers, output_name="scores"
            )
        )
    assert made.code == 0, made.stderr
    found = shown(zkwm, case, challenge=case.folder / "new.challenge")
    for expected in (
        f'suspect "{service.url}" (http)',
        "outputs 10",
        'output asked "scores"',
        "protocol Open Inference Protocol (KServe v2)",
        "account asked with the headers authorization, x-tenant",
        "preprocessing pixels divided by 255",
        "accuracy NOT MEASURED",
        "class map each label stands for the output of the same number",
        "counted matches standard 40 bits; function 1 tried",
    ):
        assert expected in found
    assert "s3cret" not in found
    assert "thief-27" not in found


def test_labels_that_were_dealt_anew_are_listed_with_their_cost(zkwm: Command, case: Files) -> None:
    assert zkwm(*case.challenge_options(reveal=100)).code == 0
    rewritten(
        case,
        class_map=(1, 0, *range(2, 10)),
        suspect_classes=tuple(f"name\u2800 {number}" for number in range(10)),
        excluded_blocks=(3,),
        test_accuracy=suspect_identity.TestAccuracy(7, 100, bytes(32)),
    )
    found = shown(zkwm, case, challenge=case.folder / "new.challenge")
    assert "given to the judge, not by names of both sides; listed below (costs 22 bits)" in found
    assert 'label 0 → output 1 "name[U+2800] 1"' in found
    assert 'label 9 → output 9 "name[U+2800] 9"' in found
    assert "excluded block 3" in found
    assert "accuracy 7 of 100 labeled images of its task" in found


def test_words_of_the_judge_s_look_like_no_line_of_zkwm_s(zkwm: Command, case: Files) -> None:
    """Blanks and quotation marks would end a value, and begin another row."""
    assert zkwm(*case.challenge_options(reveal=100)).code == 0
    trusted = "judge AAAA-BBBB (known to this vault)"
    path = case.folder / "new.challenge"
    suspect = Challenge.from_bytes(path.read_bytes()).suspect
    rewritten(
        case,
        purpose=f"Acme v. Doe{60 * chr(0x2800)}{trusted}",
        suspect=replace(suspect, description=f'm.onnx" (onnx){80 * " "}{trusted}'),
    )
    found = shown(zkwm, case, challenge=path)
    assert f'purpose "Acme v. Doe{60 * "[U+2800]"}{trusted}"' in found
    assert f'suspect "m.onnx\\" (onnx) [80 spaces] {trusted}" (' in found


def test_a_plain_file_is_shown_in_few_lines(zkwm: Command, case: Files) -> None:
    found = shown(zkwm, case, challenge=case.second_challenge)
    assert "its digest" in found
    assert "class map each label stands for the output of the same number purpose" in found
    for absent in ("protocol", "account", "output asked", "excluded", "label 0"):
        assert absent not in found
