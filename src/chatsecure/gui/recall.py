"""What was typed in a conversation before, brought back into the composer step by step.

All faces keep it in the encrypted profile, where `chatsecure.cli.typed` puts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .window import Window


class Recall:
    """The place in what was typed before, for one window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._target = ""
        self._back = 0
        """How many lines back."""
        self._draft = ""
        """What stood in the composer before."""

    def add(self, text: str) -> None:
        """Something was typed and is on its way."""
        self._back = 0
        session, target = self._window.session, self._window.view.target
        session.bridge.ask(lambda: session.typed.add(target, text), failed=lambda _error: None)

    def step(self, by: int) -> None:
        """Bring what was typed before, or after where `by` is above 0."""
        session, view = self._window.session, self._window.view
        target = view.target
        if target != self._target:
            self._target, self._back = target, 0

        def show(lines: list[str]) -> None:
            if view.target != target or view.changing is not None:
                return
            back = min(max(self._back - by, 0), len(lines))
            if back == self._back:
                return
            if not self._back:
                self._draft = view.composer.get()
            self._back = back
            view.composer.put(lines[-back] if back else self._draft)

        session.bridge.ask(lambda: list(session.typed.lines(target)), show)
