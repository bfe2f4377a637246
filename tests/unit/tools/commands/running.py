"""One command by itself, and a server that answers what a test says and notes what it was asked."""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import msgspec

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
BY: dict[str, Any] = {"created_at": NOW, "created_by": "me"}


def run(module: ModuleType, *words: str) -> int:
    """The exit code of a command line of a parser that has the commands of this module alone."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    module.add(commands)
    options = parser.parse_args(words)
    code: int = options.command_function(options)
    return code


class Server:
    """A server: `answers` by method and path; `asked` are those of the requests, with what they sent."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        self.key = ""
        self.url = ""

    def says(self, question: str, answer: Any = None) -> None:
        """Answer `METHOD /path` so from now on; an int is a status without content."""
        self.answers[question] = answer

    def run(self, module: ModuleType, *words: str) -> int:
        """A command that speaks to this server."""
        self.asked.clear()
        return run(module, *words, "--server", self.url, "--key", "secret")


class _Handler(BaseHTTPRequestHandler):
    server_of: Server

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        size = int(self.headers.get("content-length", 0))
        content = self.rfile.read(size)
        is_json = self.headers.get("content-type") == "application/json"
        sent = json.loads(content) if is_json and content else content or None
        question = f"{self.command} {self.path}"
        self.server_of.asked.append((question, sent))
        self.server_of.key = self.headers.get("authorization", "")
        known = question in self.server_of.answers
        found = self.server_of.answers.get(question, {"error": f"there is no {question}"})
        body = msgspec.json.encode(found)
        self.send_response(200 if known else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815


@contextmanager
def serving() -> Iterator[Server]:
    """A server, while the context lasts."""
    made = Server()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of": made}))
    made.url = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
