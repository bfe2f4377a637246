"""Tells people that an alert began or ended: webhooks and e-mail, in a thread of its own.

Decides what is said and how often it is tried. Webhooks reach public addresses only (`client/outbound.py`).
Must not know monitors beyond their records.
"""

from __future__ import annotations

import logging
import os
import smtplib
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from queue import SimpleQueue
from typing import Any

import msgspec

from sardonyx.client.outbound import Outbound, shown
from sardonyx.protocol.errors import ServeError
from sardonyx.protocol.monitors import Alert, Monitor, Notice, Run

_TRIES = 3
_log = logging.getLogger("sardonyx.alerts")


@dataclass(frozen=True, slots=True)
class Mail:
    """The SMTP server that e-mails leave by; `security` is starttls, tls or none."""

    host: str
    port: int = 587
    sender: str = "sardonyx@localhost"
    user: str = ""
    password: str = ""
    security: str = "starttls"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Mail | None:
        """From SARDONYX_SMTP_HOST, _PORT, _FROM, _USER, _PASSWORD and _SECURITY; None without a host."""
        given = {key: environment.get(f"SARDONYX_SMTP_{key}", "") for key in _VARIABLES}
        if not given["HOST"]:
            return None
        return cls(
            given["HOST"],
            int(given["PORT"] or 587),
            given["FROM"] or "sardonyx@localhost",
            given["USER"],
            given["PASSWORD"],
            given["SECURITY"] or "starttls",
        )

    def send(self, to: str, subject: str, text: str) -> None:
        """Send one message. Raises OSError or smtplib.SMTPException if the server does not take it."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, subject
        message.set_content(text)
        secure = ssl.create_default_context()
        opened = (
            smtplib.SMTP_SSL(self.host, self.port, timeout=20, context=secure)
            if self.security == "tls"
            else smtplib.SMTP(self.host, self.port, timeout=20)
        )
        with opened as server:
            if self.security == "starttls":
                server.starttls(context=secure)
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message)


_VARIABLES = ("HOST", "PORT", "FROM", "USER", "PASSWORD", "SECURITY")


class Notifier:
    """Sends notices one after the other; `tell` returns at once."""

    def __init__(
        self, outbound: Outbound | None = None, mail: Mail | None = None, retry_s: float = 5.0
    ) -> None:
        self._outbound, self._mail = outbound or Outbound(), mail
        self._retry_s = retry_s
        self._queue: SimpleQueue[tuple[Notice, dict[str, Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="sardonyx-alerts", daemon=True)
        self._thread.start()

    def tell(self, monitor: Monitor, alert: Alert, run: Run) -> None:
        """Tell everybody whom the monitor names."""
        for notice in monitor.notify:
            self._queue.put((notice, document(monitor, alert, run)))

    def close(self) -> None:
        """Send what waits, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            notice, body = item
            for attempt in range(_TRIES):
                try:
                    self._send(notice, body)
                    break
                except (ServeError, OSError, smtplib.SMTPException) as error:
                    to = shown(notice.webhook, path=False) if notice.webhook else notice.email
                    _log.error("alert of %s is not told to %s: %s", body["monitor"], to, error)
                    if (
                        isinstance(error, ServeError)
                        and error.retry_after_s is None
                        and error.code.http < 500
                    ):
                        break
                    if attempt + 1 < _TRIES:
                        time.sleep(self._retry_s * 2**attempt)

    def _send(self, notice: Notice, body: dict[str, Any]) -> None:
        if notice.webhook:
            headers = {"content-type": "application/json", "user-agent": "sardonyx"}
            self._outbound.post(notice.webhook, msgspec.json.encode(body), headers)
        elif self._mail is not None:
            lines = "\n".join(
                f"{key}: {value}" for key, value in body.items() if key not in ("text", "values")
            )
            self._mail.send(notice.email, body["text"].partition("\n")[0], f"{body['text']}\n\n{lines}\n")
        else:
            _log.error("no e-mail to %s: SARDONYX_SMTP_HOST is not set", notice.email)


def document(monitor: Monitor, alert: Alert, run: Run) -> dict[str, Any]:
    """What a webhook gets; `text` is for people and is what chat services show."""
    ended = alert.ended_at is not None
    text = f"{monitor.name} ({monitor.model}): {'well again' if ended else run.message}"
    return {
        "event": "alert.ended" if ended else "alert.began",
        "text": text,
        "monitor": monitor.name,
        "model": monitor.model,
        "kind": monitor.kind,
        "alert": alert.number,
        "began_at": alert.began_at.isoformat(),
        "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
        "rows": run.rows,
        "values": [msgspec.to_builtins(value) for value in run.values if value.breached],
    }
