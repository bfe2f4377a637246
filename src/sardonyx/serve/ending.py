"""The signals on which a process that serves answers what it has accepted and ends."""

from __future__ import annotations

import signal


def ending_signals() -> tuple[int, ...]:
    """SIGINT, SIGTERM, and SIGHUP of a terminal that is closed, unless `nohup` has it ignored."""
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return (signal.SIGINT, signal.SIGTERM)
    return (signal.SIGINT, signal.SIGTERM, hang_up)
