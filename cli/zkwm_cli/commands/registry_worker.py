"""``zkwm registry worker``: a judge's answers are decided without a person."""

from __future__ import annotations

import click

from zkwm_cli.artifacts import print_result
from zkwm_cli.options import json_option, option, options
from zkwm_cli.secret_options import JudgeOptions
from zkwm_cli.trust_options import trust_option

_FOLDER = click.Path(file_okay=False)


@click.command("worker", short_help="Decide on the answers to a judge's claims, one by one.")
@click.argument("folder", type=_FOLDER)
@options(
    judge=JudgeOptions,
    models=option(
        "--models",
        type=_FOLDER,
        metavar="FOLDER",
        help="With the files of the models that claims are about; by default service/models in "
        "the registry's folder.",
    ),
    trust=trust_option(
        "Whom your challenges trust to date commitments: a folder (docs/registration.md)."
    ),
    as_json=json_option(),
)
def worker(
    folder: str, judge: JudgeOptions, models: str | None, trust: str | None, as_json: bool
) -> None:
    """Take what owners answered to your claims at the registry in FOLDER, until SIGTERM or Ctrl-C.

    Each answer is verified as by zkwm verify, with the ledger beside your key; the verdict is
    signed, logged by zkwm registry serve, which has to run, and kept. A model is found by the
    digest in the challenge. Claims of other judges are left alone.

    It writes a line for each job. What has failed, such as for a model that is missing, is tried
    again when it starts.
    """
    from pathlib import Path

    from zkwm.extras import require
    from zkwm_cli.terminal import attention, note
    from zkwm_cli.trust_options import read_trust_option

    require("fastapi", "sqlalchemy", "alembic", "onnxruntime")
    from zkwm.registry_service.folder import FOLDER, ServiceFolder
    from zkwm.registry_service.json_logs import json_logs
    from zkwm.registry_service.run_worker import run_worker

    service = ServiceFolder(Path(folder))
    service.require()
    place = Path(models) if models else service.folder / FOLDER / "models"
    trusted, person = read_trust_option(trust), judge.open()
    fingerprint = person.public.fingerprint()

    def started(queued: int) -> None:
        attention.serving = True
        note(f"the judge {fingerprint} decides on claims; models are in {place}")
        print_result(
            as_json, "registry-worker", path=folder, judge=fingerprint, models=str(place),
            queued=queued,
        )  # fmt: skip

    with json_logs():
        run_worker(service, person, place, started, trusted)
