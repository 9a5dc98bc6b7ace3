"""A marketplace, a seller, and a thief who sells a copy of the seller's model.

``python examples/marketplace.py FOLDER`` plays all of them in a new folder, training included. What
goes between them goes by HTTP on this machine: the marketplace posts challenges and verdicts to the
seller's webhook, the seller posts answers to the marketplace. Neither needs to trust the line: the
seller checks the judge's signature, the marketplace that of the seller.
"""

import json
import queue
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import onnx
import owner

import zkwm

Route = Callable[[str, bytes], None]
LARGEST_BODY = 1 << 20


class Shop:
    """The marketplace: its desk, the files on offer, and whom to tell what."""

    def __init__(self, folder: Path, judge: zkwm.Judge) -> None:
        """``folder`` gets the database, the files and the reports."""
        self.market = zkwm.Marketplace(folder / "market", judge)
        self.files = folder / "offers"
        self.files.mkdir()
        self.webhooks: dict[str, str] = {}

    def register(self, commitment: zkwm.Commitment, webhook: str) -> str:
        """Keep a seller's commitment, and where they want to hear of claims."""
        name = self.market.register(commitment)
        self.webhooks[name] = webhook
        return name

    def offer(self, listing: str, model: Path, shape: tuple[int, int, int]) -> None:
        """List a model, and tell everybody who could claim it."""
        file = self.files / f"{listing}.onnx"
        shutil.copy(model, file)
        with self.opened(listing, shape) as suspect:
            self.market.add_listing(listing, suspect, url=f"https://shop.example/{listing}")
            found = self.market.screen(suspect)
        for standing in found.standings:
            if standing.commitment in self.webhooks:
                offer = {"listing": listing, "shape": shape, "commitment": standing.commitment}
                post(f"{self.webhooks[standing.commitment]}/offer", json.dumps(offer).encode())

    def claim(self, commitment: str, listing: str, shape: tuple[int, int, int]) -> None:
        """Open a case, and post its challenge to the owner."""
        with self.opened(listing, shape) as suspect:
            challenge = self.market.challenge(
                commitment,
                suspect,
                listing=listing,
                purpose=f"claim on listing {listing}",
                answer_within=timedelta(days=7),
            )
        post(f"{self.webhooks[commitment]}/challenge", challenge.to_bytes())

    def receive(self, path: str, body: bytes) -> None:
        """An answer that was posted to /answer/CASE; ``answer`` checks whose it is."""
        self.market.answer(path.removeprefix("/answer/"), body)

    def settle_all(self) -> None:
        """Settle what was answered: the queue is the database, so nothing is lost at a restart."""
        cases = {case.id: case for case in self.market.cases(state=zkwm.CaseState.ANSWERED)}
        claims = [
            zkwm.Claim(case.id, self.files / f"{case.listing}.onnx") for case in cases.values()
        ]
        with self.market.verify_many(claims) as run:
            for settled in run:
                case = cases[settled.case]
                told = {"listing": case.listing, "outcome": settled.outcome}
                if settled.outcome == "proven":
                    (self.files / f"{case.listing}.onnx").unlink()  # off the shelf
                if settled.outcome:
                    report = self.market.report(settled.case, public=True)
                    (self.files / f"{case.listing}.html").write_text(report, encoding="utf-8")
                post(f"{self.webhooks[case.commitment]}/verdict", json.dumps(told).encode())

    @contextmanager
    def opened(self, listing: str, shape: tuple[int, int, int]) -> Iterator[zkwm.Suspect]:
        """A listed model as a suspect."""
        suspect = zkwm.open_suspect(self.files / f"{listing}.onnx", shape=shape)
        try:
            yield suspect
        finally:
            suspect.close()


class Seller:
    """An owner: listens at a webhook, looks at new offers, answers challenges from a queue."""

    def __init__(
        self, vault: zkwm.Vault, commitment: zkwm.Commitment, fingerprint: str, own: str
    ) -> None:
        """``fingerprint`` is the judge's, as the marketplace publishes it; ``own`` a listing."""
        self.vault, self.commitment, self.fingerprint = vault, commitment, fingerprint
        self.own = own
        self.offers: queue.Queue[dict[str, str]] = queue.Queue()
        self.challenges: queue.Queue[zkwm.Challenge] = queue.Queue()
        self.verdicts: queue.Queue[dict[str, str]] = queue.Queue()

    def receive(self, path: str, body: bytes) -> None:
        """What the marketplace posts; it is only queued here, so that the webhook answers soon."""
        if path == "/challenge":
            self.challenges.put(zkwm.Challenge.from_bytes(body))
        elif path == "/offer":
            self.offers.put(json.loads(body))
        elif path == "/verdict":
            self.verdicts.put(json.loads(body))

    def answer(self, shop: str) -> None:
        """Answer the next challenge, if it is this judge's, about this commitment."""
        challenge = self.challenges.get(timeout=60)
        proof = owner.answer(self.vault, self.commitment, challenge, self.fingerprint)
        post(f"{shop}/answer/{challenge.digest.hex()}", proof.to_bytes())


@contextmanager
def serving(route: Route) -> Iterator[str]:
    """An HTTP server on this machine that gives every POST to ``route``; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            if length > LARGEST_BODY:
                self.send_error(413)
                return
            try:
                route(self.path, self.rfile.read(length))
            except zkwm.ZkwmError as error:
                self.send_error(400, error.message[:200])
                return
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def post(url: str, body: bytes) -> None:
    """Post to a webhook."""
    with urlopen(Request(url, data=body), timeout=60):
        pass


def steal(model: Path, copy: Path) -> None:
    """What the thief does: the same network under another producer's name, a different file."""
    stolen = onnx.load(model)
    stolen.producer_name = "my own work"
    onnx.save(stolen, copy)


def play(
    folder: Path, vault: zkwm.Vault, commitment: zkwm.Commitment, model: Path, judge: zkwm.Judge
) -> dict[str, str]:
    """From two offers to a verdict; the last message to the seller."""
    shape = commitment.header.shape
    shop = Shop(folder, judge)
    seller = Seller(vault, commitment, judge.public.fingerprint(), own="1-acme")
    with serving(shop.receive) as shop_url, serving(seller.receive) as webhook:
        name = shop.register(commitment, webhook)
        shop.offer("1-acme", model, shape)
        steal(model, folder / "copy.onnx")
        shop.offer("2-cheap", folder / "copy.onnx", shape)
        offers = [seller.offers.get(timeout=60)["listing"] for _ in range(2)]
        for listing in offers:
            if listing != seller.own:
                shop.claim(name, listing, shape)
                seller.answer(shop_url)
        shop.settle_all()
        return seller.verdicts.get(timeout=60)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir()
    vault, commitment = owner.mark(folder, "the owner's own phrase")
    desk = zkwm.Judge.create(folder / "desk.key", "the desk's own phrase")
    told = play(folder, vault, commitment, folder / "marked" / "model.onnx", desk)
    print(f"listing {told['listing']}: {told['outcome']}")
