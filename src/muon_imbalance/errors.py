"""Mistakes a user can make, told in one sentence."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """A mistake in config, data or environment. The message names the key, the value and what is allowed."""


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's ``main``; a :class:`UserError` becomes one line on stderr and exit status 2."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
