"""Signed notes and verifier keys: published notes, and everything that has another spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported
from zkwm_protocols.transparency.note import (
    LONGEST_NAME,
    MOST_SIGNATURES,
    NOTE_LIMIT,
    Note,
    NoteSignature,
    from_base64,
    to_base64,
)
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType, VerifierKey

PUBLISHED = {
    # C2SP signed-note, "Verifier keys", the example.
    "C2SP signed-note": (
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2"
        "ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
    ),
    # golang.org/x/mod/sumdb/note, the example of its documentation.
    "sumdb note": (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "If you think cryptography is the answer to your problem,\nthen you don't know what your "
        "problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
        "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
    ),
}  # fmt: skip
LINE = "— a.example " + to_base64(b"\x01\x02\x03\x04sig") + "\n"
NAMES = st.text("aZ09/.:-_ä\U0001f512", min_size=1, max_size=60)


@pytest.mark.parametrize("source", PUBLISHED)
def test_published_notes_verify(source: str) -> None:
    text, data = PUBLISHED[source]
    key, note = VerifierKey.from_text(text), Note.from_bytes(data.encode())
    assert key.to_text() == text
    assert note.to_bytes() == data.encode()
    [line] = note.signatures
    assert (line.name, line.key_id) == (key.name, key.key_id)
    key.verify_message(note.text.encode(), line.signature)
    with pytest.raises(InvalidSignature):
        key.verify_message(note.text.encode() + b"\n", line.signature)


def test_the_text_ends_at_the_last_empty_line() -> None:
    """The example of C2SP signed-note has an empty line inside of its text."""
    text = "Ognuno sta solo\ntrafitto:\n\ned è subito sera.\n"
    note = Note.from_bytes((text + "\n" + LINE * 2).encode())
    assert note.text == text
    assert len(note.signatures) == 2


@given(st.lists(st.tuples(NAMES, st.binary(min_size=5, max_size=80)), min_size=1, max_size=5))
def test_notes_are_read_back(lines: list[tuple[str, bytes]]) -> None:
    signatures = tuple(NoteSignature(name, data[:4], data[4:]) for name, data in lines)
    note = Note("one\n\ntwo\n", signatures)
    assert Note.from_bytes(note.to_bytes()) == note


@pytest.mark.parametrize(
    "note",
    [
        "", "\n", "\n\n", "text\n", "text\n\n", "text" + LINE, "text\n" + LINE, LINE,
        ("text\n\n" + LINE)[:-1],  # no line feed at the end
        "text\n\n" + LINE + "\n", ("text\n\n" + LINE).replace("\n", "\r\n"),
        "text\r\n\n" + LINE, "a\tb\n\n" + LINE, "a\0\n\n" + LINE,
        "text\n\n" + LINE.replace("— ", "- "), "text\n\n" + LINE.replace("— ", "—"),
        "text\n\n" + LINE.replace("— ", "—  "), "text\n\n" + LINE.replace("a.example", ""),
        "text\n\n" + LINE.replace("a.example", "a+b"),
        "text\n\n" + LINE.replace("a.example", "a\u00a0b"),
        "text\n\n" + LINE.replace("a.example", "a\u2003b"),
        "text\n\n" + LINE.replace("a.example", "x" * (LONGEST_NAME + 1)),
        "text\n\n— a.example AQIDBHNpZw\n",  # no padding
        "text\n\n— a.example AQIDBHNpZx==\n",  # a bit that is not used
        "text\n\n— a.example AQIDBHNpZw== \n", "text\n\n— a.example AQID BHNpZw==\n",
        "text\n\n— a.example AQIDBHNp_w==\n", "text\n\n— a.example AQIDBA==\n",
        "text\n\n— a.example AQID\n", "text\n\n— a.example \n", "text\n\n— a.example\n",
        "text\n\n" + LINE * (MOST_SIGNATURES + 1), "x" * NOTE_LIMIT + "\n\n" + LINE,
    ],
)  # fmt: skip
def test_other_spellings_are_refused(note: str) -> None:
    with pytest.raises(Malformed):
        Note.from_bytes(note.encode())


def test_the_most_and_the_longest_are_read() -> None:
    """16 signatures have to be read by everybody (C2SP signed-note); here 64 of ML-DSA-44."""
    large = NoteSignature("a.example", b"1234", bytes(2_428))
    note = Note("text\n", (large,) * MOST_SIGNATURES)
    assert Note.from_bytes(note.to_bytes()) == note


def test_bytes_that_are_no_utf8_are_refused() -> None:
    for data in (b"\xff\n\n" + LINE.encode(), b"\xed\xa0\x80\n\n" + LINE.encode()):
        with pytest.raises(Malformed):
            Note.from_bytes(data)


@pytest.mark.parametrize("kind", SignatureType)
def test_keys_are_written_and_read(kind: SignatureType) -> None:
    signer = NoteSigningKey.generate("log.example/1", kind)
    key = signer.verifier
    assert VerifierKey.from_text(key.to_text()) == key
    assert NoteSigningKey(key.name, kind, signer.to_bytes()).verifier == key
    assert signer.to_bytes().hex() not in repr(signer)
    signature = signer.sign_message(b"message")
    key.verify_message(b"message", signature)
    other_end = signature[:-1] + bytes([signature[-1] ^ 1])
    for message, changed in ((b"messagf", signature), (b"message", other_end),
                             (b"message", signature[:-1]), (b"message", b"")):  # fmt: skip
        with pytest.raises(InvalidSignature):
            key.verify_message(message, changed)
    other = VerifierKey("log.example/2", kind, key.public)
    assert other.key_id != key.key_id


def test_one_key_has_another_id_for_another_type() -> None:
    secret = bytes(range(32))
    ids = {NoteSigningKey("a", kind, secret).verifier.key_id for kind in SignatureType}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("530d903a", "530d903b"), lambda text: "/" + text,
        lambda text: text.replace("530d903a", "530D903A"), lambda text: text + "=",
        lambda text: text + "\n", lambda text: " " + text, lambda text: text[:-1],
        lambda text: text.replace("/foo", "/bar"), lambda text: text.replace("+", " "),
        lambda text: text.rpartition("+")[0], lambda text: "", lambda text: "+" * 5_000,
        lambda text: text.replace("example.com/foo", ""),
    ],
)  # fmt: skip
def test_verifier_keys_have_one_spelling(change: object) -> None:
    assert callable(change)
    with pytest.raises(Malformed):
        VerifierKey.from_text(change(PUBLISHED["C2SP signed-note"][0]))


def test_unknown_types_and_bad_points_are_refused() -> None:
    for kind in (0, 2, 3, 5, 7, 255):
        with pytest.raises(Unsupported):
            VerifierKey.from_text("a+00000000+" + to_base64(bytes([kind]) + bytes(32)))
    identity = b"\x01" + bytes(31)  # a point of small order
    with pytest.raises(Malformed):
        VerifierKey("a", SignatureType.ED25519, identity)
    for length in (0, 31, 33, 1312):
        with pytest.raises(Malformed):
            VerifierKey("a", SignatureType.ED25519_COSIGNATURE, bytes(length))
    with pytest.raises(Malformed):
        VerifierKey("a", SignatureType.ML_DSA_44_COSIGNATURE, bytes(32))


@given(st.binary(max_size=70))
def test_base64_is_read_back(data: bytes) -> None:
    assert from_base64(to_base64(data)) == data
