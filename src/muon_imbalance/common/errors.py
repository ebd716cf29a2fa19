"""Mistakes a user can make, explained in one sentence."""

import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class UserError(Exception):
    """A mistake in config, data or environment. The message names the key, the value and what is allowed."""


@contextmanager
def within(place: str) -> Iterator[None]:
    """Put a place in front of what is refused inside the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{place}: {error}") from error


def refusal(owner: str, key: str, value: Any, allowed: str) -> UserError:
    """The error for one value: ``colored_mnist: train = 60000; allowed: up to 59,000``."""
    return UserError(f"{owner}: {key} = {value!r}; allowed: {allowed}")


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's ``main``; a :class:`UserError` becomes one line on stderr and exit status 2.

    The last line of a stage that succeeds is its processor time, which Snakemake's benchmarks only sample: in jobs
    above 15 s they miss up to half a minute.
    """
    gc.freeze()  # what was imported stays
    gc.enable()
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"processor time: {sum(os.times()[:4]):.2f} s", file=sys.stderr)
    if main.__module__ == "__main__":
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # taking down torch and its tensors one by one takes almost a second
