"""The servers found on this network, to choose one from, beside the invitation.

An announcement is anybody's to make, and it lets nobody in: what is chosen here only says where to
look for the server of an invitation. Nothing is asked of the network before the button is pressed.
"""

from __future__ import annotations

import asyncio
import base64
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatsecure import lan, links
from chatsecure.client import whereabouts
from chatsecure.client.display import harmless
from chatsecure.links import FINGERPRINT_BYTES, Link
from chatsecure.wire.errors import ChatSecureError, WrongIdentity
from chatsecure.words import told

from .bridge import Bridge
from .dialogs import paragraph
from .mirror import turn
from .theme import Theme
from .wording import _

MOST = 4
WIDE = 440


class Nearby(ttk.Frame):
    """A button that looks, and what was found.

    Args:
        changed: called when a server was chosen.
    """

    def __init__(
        self, master: tk.Misc, theme: Theme, bridge: Bridge, changed: Callable[[], object]
    ) -> None:
        super().__init__(master)
        self._theme, self._bridge, self._changed = theme, bridge, changed
        self._found: list[lan.Found] = []
        self._place = tk.IntVar(self, -1)
        self.button = ttk.Button(
            self, text=_("Find a server on this network"), style="Soft.TButton", command=self.look
        )
        self.button.bind("<Return>", lambda _event: self.button.invoke())
        self.button.pack(fill="x", pady=(0, theme.px(12)), ipady=theme.px(3))

    @property
    def chosen(self) -> lan.Found | None:
        """The server that was chosen."""
        place = self._place.get()
        return self._found[place] if 0 <= place < len(self._found) else None

    def look(self) -> None:
        """Look for servers."""
        self.button.configure(state="disabled", text=_("Looking…"))

        async def work() -> list[lan.Found]:
            return await asyncio.to_thread(whereabouts.nearby)

        def done(found: list[lan.Found]) -> None:
            if self.winfo_exists():
                self.show(found)

        def failed(error: ChatSecureError) -> None:
            if self.winfo_exists():
                self._say(harmless(told(error), lines=False), "Error.TLabel")

        self._bridge.call(work, done, failed)

    def show(self, found: list[lan.Found]) -> None:
        """Show what was found, in place of the button."""
        self._found = found[:MOST]
        if not found:
            self._say(
                _("No server tells of itself on this network. Whoever runs it starts it with "
                  "--announce; an invitation works without that too.")
            )  # fmt: skip
            return
        self._clear()
        for place, one in enumerate(self._found):
            where = links.format_address(one.host, one.port)
            choice = ttk.Radiobutton(
                self, text=f"{harmless(where)}   {_short(one.fingerprint)}", value=place,
                variable=self._place, command=self._changed,
            )  # fmt: skip
            choice.bind("<Return>", lambda _event, choice=choice: choice.invoke())  # type: ignore[misc]
            choice.pack(anchor="w")
            turn(choice)
        if len(self._found) == 1:
            self._place.set(0)
        self._say(
            _("Choose it and paste the invitation to it below. The address alone lets nobody in: "
              "whoever is there already makes invitations.")
        )  # fmt: skip

    def _say(self, text: str, style: str = "Dim.TLabel") -> None:
        if not self._found:
            self._clear()
        label = paragraph(self, self._theme, text, style, WIDE)
        label.pack(anchor="w", pady=(self._theme.px(3), self._theme.px(12)))
        turn(label)

    def _clear(self) -> None:
        for child in self.winfo_children():
            child.destroy()


def at(link: Link, chosen: lan.Found | None) -> Link:
    """An invitation's link, to where its server was found.

    Raises:
        WrongIdentity: it is an invitation to another server.
    """
    if chosen is None:
        return link
    if link.fingerprint[:FINGERPRINT_BYTES] != chosen.fingerprint:
        raise WrongIdentity(
            _("this is an invitation to another server than the one you chose"),
            hint=_("choose none to use the address in the invitation"),
        )
    return Link(chosen.host, chosen.port, link.fingerprint, link.secret)


def _short(fingerprint: bytes) -> str:
    """The beginning of a fingerprint as `serve` prints it."""
    text = base64.b32encode(fingerprint).decode()
    return "-".join(text[start : start + 4] for start in range(0, 12, 4)) + "…"
