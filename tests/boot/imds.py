"""A metadata service as EC2 has it (version 2: a token first), with one machine's user-data.

python -m tests.boot.imds ADDRESS PORT USER_DATA INSTANCE
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = "token-of-the-test"


def answers(user_data: str, instance: str) -> dict[str, str]:
    """What is asked for at which path; a folder lists what is in it."""
    meta = {
        "instance-id": instance,
        "local-hostname": instance,
        "ami-id": "ami-1",
        "placement/availability-zone": "test-1a",
        "placement/region": "test-1",
    }
    folders = {
        "": "ami-id\ninstance-id\nlocal-hostname\nplacement/",
        "placement/": "availability-zone\nregion",
    }
    found = {f"meta-data/{path}": text for path, text in {**meta, **folders}.items()}
    dynamic = {"dynamic/instance-identity/": "document", "dynamic/instance-identity/document": "{}"}
    return {**found, **dynamic, "user-data": user_data}


class Handler(BaseHTTPRequestHandler):
    """One request; whoever has no token is refused, as EC2 does."""

    known: dict[str, str]

    def do_PUT(self) -> None:
        """Hand out the token."""
        self._answer(200, TOKEN)

    def do_GET(self) -> None:
        """Answer by path, whatever the version in front of it."""
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self._answer(401, "")
            return
        path = self.path.strip("/").partition("/")[2]
        for name in (path, f"{path}/"):
            if name in self.known:
                self._answer(200, self.known[name])
                return
        self._answer(404, "")

    def _answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text.encode())))
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.end_headers()
        self.wfile.write(text.encode())


def main(address: str, port: str, user_data: str, instance: str) -> None:
    """Serve until killed."""
    Handler.known = answers(Path(user_data).read_text(), instance)
    ThreadingHTTPServer((address, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
