"""Alerts by e-mail to a real SMTP server: in the clear, by STARTTLS with a login, by TLS; and refused."""

from __future__ import annotations

import email
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from pathlib import Path
from typing import Any

import pytest

from sardonyx.monitor.notify import Mail, Notifier
from sardonyx.protocol.errors import Code
from sardonyx.protocol.monitors import Notice
from tests.gateway.certificates import Authority
from tests.gateway.test_pages import free_ports
from tests.monitor.records import record
from tests.monitor.test_watch import World

controller = pytest.importorskip("aiosmtpd.controller", reason="aiosmtpd is not installed")
smtp = pytest.importorskip("aiosmtpd.smtp")

TO = "ops@example.org"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:aiosmtpd")


class Box:
    """What an SMTP server took; the first `refusals` messages it does not take."""

    def __init__(self, refusals: int = 0) -> None:
        self.messages: list[Any] = []
        self.refusals = refusals

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusals:
            self.refusals -= 1
            return "451 come again later"
        assert envelope.rcpt_tos == [TO]
        self.messages.append(email.message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this process trusts, as an administrator would have it."""
    (tmp_path / "tls").mkdir()
    authority = Authority(tmp_path / "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    return authority


@contextmanager
def listening(box: Box, security: str, authority: Authority) -> Iterator[dict[str, str]]:
    """The environment that points at a server of that security, which lets in `shop` alone."""

    def login(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> Any:
        good = (given.login, given.password) == (b"shop", b"open sesame")
        return smtp.AuthResult(success=good, handled=False)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("mail"))
    options: dict[str, Any] = {}
    if security == "starttls":
        options = {
            "tls_context": context,
            "require_starttls": True,
            "authenticator": login,
            "auth_required": True,
        }
    elif security == "tls":
        options = {"ssl_context": context}
    port = free_ports()[0]
    server = controller.Controller(box, hostname="127.0.0.1", port=port, **options)
    server.start()
    try:
        yield {
            "SARDONYX_SMTP_HOST": "127.0.0.1",
            "SARDONYX_SMTP_PORT": str(port),
            "SARDONYX_SMTP_FROM": "sardonyx@example.org",
            "SARDONYX_SMTP_SECURITY": security,
            **(
                {"SARDONYX_SMTP_USER": "shop", "SARDONYX_SMTP_PASSWORD": "open sesame"}
                if options.get("auth_required")
                else {}
            ),
        }
    finally:
        server.stop()


def alert(folder: Path, mail: Mail | None) -> None:
    """A monitor of failures that finds some, tells by e-mail, and has told when this returns."""
    notifier = Notifier(mail=mail, retry_s=0.01)
    world = World(folder / "world", notifier)
    for i in range(60):
        world.log.capture.observe(record(code=Code.INTERNAL, finished_s=world.at.timestamp() - i))
    world.log.flush()
    assert world.run(kind="service", notify=[Notice(email=TO)]).state == "alert"
    notifier.close()
    world.database.close()


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_an_alert_arrives(security: str, authority: Authority, tmp_path: Path) -> None:
    box = Box()
    with listening(box, security, authority) as environment:
        alert(tmp_path, Mail.from_environment(environment))
    (message,) = box.messages
    assert (message["To"], message["From"]) == (TO, "sardonyx@example.org")
    assert message["Subject"].startswith("mon (m): ")
    text = message.get_content()
    assert "event: alert.began" in text
    assert "monitor: mon" in text


def test_a_server_that_is_busy_is_asked_again(authority: Authority, tmp_path: Path) -> None:
    box = Box(refusals=2)
    with listening(box, "none", authority) as environment:
        alert(tmp_path, Mail.from_environment(environment))
    assert len(box.messages) == 1


@pytest.mark.parametrize("wrong", ["password", "authority"])
def test_what_is_not_trusted_gets_nothing(
    wrong: str,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    box = Box()
    with listening(box, "starttls", authority) as environment:
        if wrong == "authority":
            monkeypatch.delenv("SSL_CERT_FILE")
        else:
            environment["SARDONYX_SMTP_PASSWORD"] = "a guess"
        alert(tmp_path, Mail.from_environment(environment))
    assert box.messages == []
    assert f"is not told to {TO}" in caplog.text
    assert "a guess" not in caplog.text
