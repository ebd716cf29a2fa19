"""Progress of long jobs: one line now and then, in the terminal and in the job's log."""

import logging
import time

log = logging.getLogger("muon_imbalance")


def start_logging() -> None:
    """Send the package's messages to stderr, one plain line each (rules copy stderr to the job's log)."""
    logging.basicConfig(format="%(message)s", level=logging.INFO)


def duration(seconds: float) -> str:
    """Human-readable duration: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


class Progress:
    """Counts units of work and says how far it is and how long it will take.

    Args:
        label: who speaks, e.g. ``colored_mnist/muon``.
        total: number of units in all.
        unit: their name in the message.
        every: seconds between two messages; nothing is said before the first interval is over.
    """

    def __init__(self, label: str, total: int, unit: str = "steps", every: float = 5.0):
        self.label, self.total, self.unit, self.every = label, total, unit, every
        self.done = self.skipped = 0
        self.began = self.said = time.monotonic()

    def skip(self, n: int) -> None:
        """Count ``n`` units that an earlier, interrupted process finished (they do not enter the rate)."""
        self.done += n
        self.skipped += n

    def update(self, n: int = 1) -> None:
        """Count ``n`` more units and speak if it is time to."""
        self.done += n
        now = time.monotonic()
        if now - self.said >= self.every and self.done > self.skipped:
            self.said = now
            left = (now - self.began) / (self.done - self.skipped) * (self.total - self.done)
            share = 100 * self.done / max(1, self.total)
            counts = f"{self.done}/{self.total} {self.unit}"
            log.info(f"{self.label}: {share:.0f} % ({counts}), about {duration(left)} left")

    def close(self) -> None:
        """Say how long it took (only if it spoke before)."""
        if self.said > self.began:
            log.info(f"{self.label}: done in {duration(time.monotonic() - self.began)}")
