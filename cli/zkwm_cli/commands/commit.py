"""``zkwm commit``: a commitment to trigger images, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zkwm_cli.artifacts import OutputOptions, print_result
from zkwm_cli.options import option, options, usage_errors
from zkwm_cli.secret_options import VaultOptions
from zkwm_cli.trigger_options import SchemeOptions, TriggerOptions

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment


@click.command("commit", short_help="Commit to trigger images, your own or generated ones.")
@options(
    owner=VaultOptions,
    triggers=TriggerOptions,
    scheme=SchemeOptions,
    authority=option(
        "--timestamp-authority",
        type=click.Path(),
        metavar="FILE",
        help="The root certificate (PEM) of a timestamp authority: no label exists before it has "
        "dated the commitment (zkwm register), so that tries of commitments cost an accuser more.",
    ),
    output=OutputOptions,
)
def command(
    owner: VaultOptions,
    triggers: TriggerOptions,
    scheme: SchemeOptions,
    authority: str | None,
    output: OutputOptions,
) -> None:
    """Commit to trigger images: the secrets go into the vault, the commitment to the public.

    Their labels follow from the commitment itself, so that nobody, you included, can choose them.
    Commit first and train afterwards: a mark is what a model learns from a commitment that exists.

    \b
        zkwm commit --vault acme.vault --generate 200 --shape 1,28,28 \\
            --classes 10 --output acme.commitment
    """
    if scheme.watermark is None:
        triggers.require_one_source()
        scheme.require_none()
    else:
        triggers.require_none()
    target = output.target(owner.vault, triggers.labels, authority)
    named = None if authority is None else _root_key(authority)
    if scheme.watermark is not None:
        from zkwm_cli.schemes import commit_under

        if triggers.data is None:
            raise click.UsageError("--watermark needs --data, that the mark will be trained with")
        commitment = commit_under(scheme, owner, triggers.data, triggers.read_class_names(), named)
    elif triggers.generate is not None:
        commitment = _commit_generated(owner, triggers, triggers.generate, named)
    else:
        commitment = _commit_given(owner, triggers, str(triggers.images), named)
    target.write(commitment.to_bytes())
    _print(commitment, output)


def _root_key(file: str) -> bytes:
    """How a header names an authority, from the file of its root certificate. Raises UsageError."""
    from zkwm.trust_folder import read_certificates
    from zkwm_protocols.errors import UsageError
    from zkwm_protocols.timestamps.chain import is_root, key_digest, load_certificate

    found = read_certificates(file)
    if len(found) != 1:
        raise UsageError(
            f"{file} has {len(found)} certificates",
            hint="give a file with the root certificate alone",
        )
    root = load_certificate(found[0])
    if not is_root(root):
        raise UsageError(
            f"{file} is no root certificate: it is issued by {root.issuer.rfc4514_string()!r}, or "
            "not a CA's",
            hint="give the certificate at the top of the authority's chain, which signs itself: "
            "signers' certificates are renewed, and the commitment names it for good",
        )
    return key_digest(root)


def _commit_generated(
    owner: VaultOptions, triggers: TriggerOptions, count: int, named: bytes | None
) -> Commitment:
    """Draw ``count`` triggers of a family and commit to them."""
    from zkwm.data import load_data
    from zkwm.owner.commit import commit

    shape, class_count = triggers.trigger_shape(), triggers.class_count()
    mixed = None if triggers.data is None else load_data(triggers.data).train_images
    return commit(
        owner.open(),
        class_count=class_count,
        generate_count=count,
        family=triggers.family or "secret",
        shape=shape,
        data=mixed,
        class_names=triggers.read_class_names(),
        timestamp_authority=named,
    )


def _commit_given(
    owner: VaultOptions, triggers: TriggerOptions, location: str, named: bytes | None
) -> Commitment:
    """Commit to the owner's own images, and warn where the owner chose the labels as well."""
    from zkwm.data.images import list_pictures, load_images, load_labels
    from zkwm.owner.commit import commit
    from zkwm.owner.shared_images import shared_images
    from zkwm.triggers import check_images
    from zkwm_cli.terminal import warn

    class_count = triggers.class_count()
    images = load_images(location, shape=triggers.shape, fit=triggers.fit or "exact")
    folder = Path(location)
    check_images(images, [str(path) for path in list_pictures(folder)] if folder.is_dir() else ())
    declared = None
    if triggers.labels is not None:
        declared = load_labels(triggers.labels, len(images))
        warn(
            "labels that an owner chooses prove little, since adversarial images would match as "
            "well: verdicts on this commitment state no bits, and are 'not proven' unless the "
            "judge accepts declared labels; leave out --labels to have them derived"
        )
    vault = owner.open()
    with usage_errors():
        commitment = commit(
            vault,
            images,
            class_count=class_count,
            declared_labels=declared,
            class_names=triggers.read_class_names(),
            timestamp_authority=named,
        )
    for digest, count in shared_images(vault.state, commitment).items():
        warn(
            f"{count} of these images are in commitment {digest.hex()[:16]} of this vault too: "
            "whatever is opened of one is spent in both"
        )
    return commitment


def _print(commitment: Commitment, output: OutputOptions) -> None:
    """The size and digest of the commitment, what it is enough for, and the same in JSON."""
    from zkwm.owner.openings_left import disputes_left
    from zkwm.report.visible import count
    from zkwm_cli.terminal import note
    from zkwm_protocols.opened_words import holds_keys

    header = commitment.header
    what = "keys of a mark" if holds_keys(header) else "triggers"
    note(
        f"committed to {header.leaf_count} {what} in {count(header.block_count, 'block')} of "
        f"{header.block_size}, {header.label_mode} labels; digest {commitment.digest.hex()}"
    )
    if header.timestamp_authority is not None:
        note("no label exists before its authority has dated it: zkwm register comes next")
    disputes = disputes_left(commitment, header.block_count)
    _tell_disputes(disputes)
    print_result(
        output.as_json,
        "commit",
        path=output.output,
        digest=commitment.digest.hex(),
        triggers=header.leaf_count,
        blocks=header.block_count,
        block_size=header.block_size,
        classes=header.class_count,
        class_names=None if commitment.class_names is None else list(commitment.class_names),
        shape=list(header.shape),
        label_mode=header.label_mode,
        disputes=disputes,
    )


def _tell_disputes(disputes: int) -> None:
    """How many disputes the commitment is enough for; a warning where that is one, or none."""
    from zkwm_cli.terminal import note, warn

    more = "commit to more triggers, or to more bits of a mark"
    if disputes > 1:
        note(
            f"enough for {disputes:,} disputes by opening, at most: each spends blocks; arguments "
            "in zero knowledge spend none"
        )
    elif disputes == 1:
        warn(f"this size is enough for ONE dispute by opening, and then for no other; {more}")
    else:
        warn(
            "this size is enough for NO dispute by a judge's default standard: even if all match, "
            f"40 bits are out of reach; {more}"
        )
