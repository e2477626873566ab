"""The terminal's title: how many messages are new, and nothing of who wrote or what."""

from typing import Any

from textual.app import App

PUSH, POP = "\x1b[22;2t", "\x1b[23;2t"
"""Remember the title that is there, and give it back."""


def _write(app: App[Any], text: str) -> None:
    # Through the driver: written beside it, it could fall into the middle of another sequence.
    driver = app._driver  # noqa: SLF001
    if driver is not None and not app.is_headless:
        driver.write(text)


def begin_title(app: App[Any]) -> None:
    """Take the title over."""
    _write(app, PUSH)


def end_title(app: App[Any]) -> None:
    """Give it back."""
    _write(app, POP)


def set_title(app: App[Any], unread: int) -> None:
    """Tell how much is new."""
    _write(app, f"\x1b]2;{f'({unread}) ' if unread else ''}ChatSecure\x07")
