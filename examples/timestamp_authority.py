"""A timestamp authority of your own (RFC 3161), to try registration without asking anybody.

    python examples/timestamp_authority.py tsa --port 3161

The first run makes keys and certificates in the folder, by the program ``openssl``; give its
``root.pem`` to your trust folder. It answers on this machine alone, keeps no CRL, and is worth what
whoever has its folder is trusted for: for real dates take authorities that others run.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

POLICY = "1.3.6.1.4.1.57264.1"
"""Stated in every token; the trust folder's authority.toml names it."""
LIMIT = 1 << 16
SECONDS = 10

CONFIGURATION = f"""
[ tsa ]
default_tsa = authority
[ authority ]
serial = serial
signer_cert = signer.pem
certs = root.pem
signer_key = signer.key
signer_digest = sha256
default_policy = {POLICY}
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ signer ]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def openssl(folder: Path, *words: str) -> None:
    """Run openssl in the folder. Raises CalledProcessError."""
    command = ("openssl", *words)
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)


def create(folder: Path) -> None:
    """Make a root, and a signer whose certificate is for timestamps alone."""
    folder.mkdir(mode=0o700)
    (folder / "openssl.cnf").write_text(CONFIGURATION)
    openssl(
        folder, "req", "-x509", *NEW_KEY, "-keyout", "root.key", "-out", "root.pem",
        "-days", "3650", "-subj", "/CN=Own timestamps root",
        "-addext", "basicConstraints=critical,CA:true",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    openssl(
        folder, "req", "-new", *NEW_KEY, "-keyout", "signer.key", "-out", "signer.csr",
        "-subj", "/CN=Own timestamps",
    )  # fmt: skip
    openssl(
        folder, "x509", "-req", "-in", "signer.csr", "-CA", "root.pem", "-CAkey", "root.key",
        "-set_serial", "2", "-days", "3650", "-extfile", "openssl.cnf", "-extensions", "signer",
        "-out", "signer.pem",
    )  # fmt: skip


def handler(folder: Path) -> type[BaseHTTPRequestHandler]:
    """Answers each request by ``openssl ts -reply``, one after the other."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= LIMIT:
                self.send_error(400)
                return
            request = self.rfile.read(length)
            with lock, tempfile.TemporaryDirectory() as made:
                query, reply = Path(made, "query"), Path(made, "reply")
                query.write_bytes(request)
                openssl(
                    folder, "ts", "-reply", "-config", "openssl.cnf",
                    "-queryfile", str(query), "-out", str(reply),
                )  # fmt: skip
                answer = reply.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    return Handler


def main() -> None:
    """Make the authority where there is none, and answer until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=3161)
    given = parser.parse_args()
    if not given.folder.exists():
        create(given.folder)
    folder = given.folder.resolve()
    with ThreadingHTTPServer(("127.0.0.1", given.port), handler(folder)) as server:
        print(f"answers at http://127.0.0.1:{server.server_port}; trust {folder}/root.pem")
        print(f'its policies = ["{POLICY}"]', flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
