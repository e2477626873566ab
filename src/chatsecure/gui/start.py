"""The first start: an invitation, a server of one's own, or the demo; a name; done.

A link on the clipboard is offered and never used unasked. Nothing of an invitation is written
anywhere but into the profile that is made with it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING

from chatsecure import lan, links
from chatsecure.client.display import harmless
from chatsecure.names import BadName, check_name
from chatsecure.wire.errors import ChatSecureError, Unreachable
from chatsecure.words import told

from . import scanning
from .bridge import Bridge
from .dialogs import paragraph
from .fields import guard_entry
from .mirror import turn
from .nearby import Nearby, at
from .ownserver import OwnServer
from .theme import Theme
from .wording import _, seen

if TYPE_CHECKING:
    from chatsecure.client.profile.folder import Profile

JOIN_TIMEOUT_S = 60.0
WIDE = 440


class Page(ttk.Frame):
    """A page in the middle of the window: a heading, words, fields, buttons."""

    def __init__(self, root: tk.Tk, theme: Theme) -> None:
        super().__init__(root)
        self.root, self.theme = root, theme
        self.inner = ttk.Frame(self, padding=theme.px(24))
        self.inner.place(relx=0.5, rely=0.46, anchor="center")
        self.pack(fill="both", expand=True)

    def clear(self) -> None:
        """Begin another page."""
        for child in self.inner.winfo_children():
            child.destroy()

    def heading(self, text: str) -> None:
        """A heading."""
        label = ttk.Label(self.inner, text=text, style="Heading.TLabel")
        label.pack(anchor="w", pady=(0, self.theme.px(6)))
        turn(label)

    def say(self, text: str, style: str = "Dim.TLabel") -> ttk.Label:
        """A paragraph."""
        label = paragraph(self.inner, self.theme, text, style, WIDE)
        label.pack(anchor="w", fill="x", pady=(0, self.theme.px(12)))
        turn(label)
        return label

    def field(self, label: str, value: str = "", *, hide: bool = False) -> ttk.Entry:
        """A labelled field."""
        above = ttk.Label(self.inner, text=label, style="Bold.TLabel")
        above.pack(anchor="w")
        turn(above)
        entry = ttk.Entry(self.inner, width=44, show="●" if hide else "")
        guard_entry(entry)
        entry.insert(0, value)
        entry.pack(fill="x", pady=(self.theme.px(3), self.theme.px(12)))
        turn(entry)
        return entry

    def button(
        self, text: str, command: Callable[[], object], style: str = "TButton"
    ) -> ttk.Button:
        """A button over the whole width; Return presses it."""
        button = ttk.Button(self.inner, text=text, command=command, style=style)
        button.bind("<Return>", lambda _event: button.invoke())
        button.pack(fill="x", pady=self.theme.px(5), ipady=self.theme.px(3))
        return button


class Start(Page):
    """The first start.

    Args:
        folder: where the profile is to be.
        joined: gets the open profile.
        leave: ends the program.
    """

    def __init__(
        self,
        root: tk.Tk,
        theme: Theme,
        bridge: Bridge,
        folder: Path,
        joined: Callable[[Profile], None],
        leave: Callable[[], None],
    ) -> None:
        super().__init__(root, theme)
        self._bridge, self._folder, self._joined, self._leave = bridge, folder, joined, leave
        self._busy = False
        self.server: OwnServer | None = None
        """A server that was started here."""
        self.nearby: Nearby | None = None
        self.error: ttk.Label
        self.link: ttk.Entry
        self.name: ttk.Entry
        root.protocol("WM_DELETE_WINDOW", leave)
        root.bind("<Escape>", lambda _event: self.welcome() if not self._busy else None)
        self.welcome()

    def destroy(self) -> None:
        """Leave the page."""
        self.root.unbind("<Escape>")
        super().destroy()

    # --- the first page -----------------------------------------------------------------------

    def welcome(self) -> None:
        """Three ways to begin."""
        self.clear()
        image = self.theme.icon("lock", 44, "accent")
        picture = ttk.Label(self.inner, image=image)
        picture.image = image  # type: ignore[attr-defined] # Tk keeps no reference
        picture.pack(anchor="w", pady=(0, self.theme.px(10)))
        turn(picture)
        self.heading(_("Welcome to ChatSecure"))
        self.say(
            _("What you write can be read by the people you write to, and by nobody else: not by "
              "the server either.")
        )  # fmt: skip
        first = self.button(_("I have an invitation"), self.invitation, "Accent.TButton")
        self.button(_("Start a server here"), self.own_server)
        self.button(_("Try the demo"), self.demo)
        first.focus_set()

    # --- with an invitation -------------------------------------------------------------------

    def invitation(self) -> None:
        """Ask for the link and a name."""
        self.clear()
        self.heading(_("Your invitation"))
        self.say(_("Paste the link that somebody sent you. It begins with chatsecure://"))
        self.nearby = None
        if lan.available():
            self.nearby = Nearby(self.inner, self.theme, self._bridge, self._chose)
            self.nearby.pack(fill="x")
        self.link = self.field(_("Link"))
        offered = self._from_clipboard()
        if offered is not None:
            where = links.format_address(offered[1].host, offered[1].port)
            self.button(
                _("Use the link on the clipboard, to {server}").format(server=harmless(where)),
                lambda: self._use(offered[0]),
                "Soft.TButton",
            )
        if scanning.available():
            self.button(_("Read a picture of its QR code…"), self.scan, "Soft.TButton")
        self.name = self.field(_("Your name there"), _own_name())
        self._end(_("Join"), self.join)
        self.link.focus_set()
        for entry in (self.link, self.name):
            entry.bind("<Return>", lambda _event: self.join())

    def _chose(self) -> None:
        """A server was chosen: now its invitation is wanted."""
        self.error.configure(text="")
        (self.name if self.link.get() else self.link).focus_set()

    def _end(self, text: str, command: Callable[[], object]) -> None:
        self.error = self.say("", "Error.TLabel")
        self._agree = self.button(text, command, "Accent.TButton")
        self.button(_("Back"), self.welcome, "Flat.TButton")

    def _from_clipboard(self) -> tuple[str, links.Link] | None:
        with contextlib.suppress(tk.TclError, ChatSecureError):
            text = self.root.clipboard_get()[:2048].strip()
            return text, links.parse_link(text)
        return None

    def scan(self) -> None:
        """Take the link from a picture of its QR code."""
        if self._busy:
            return
        chosen = filedialog.askopenfilename(
            parent=self.root,
            title=_("A picture of the invitation's QR code"),
            filetypes=[(_("Pictures"), scanning.KINDS), (_("All files"), "*")],
        )
        if not chosen:
            return
        self._wait(_("Reading the picture…"))

        async def work() -> str:
            import asyncio

            return await asyncio.to_thread(scanning.link_in, Path(chosen))

        def done(link: str) -> None:
            self._free()
            self._use(link)

        self._bridge.call(work, done, self._wrong)

    def _use(self, link: str) -> None:
        self.link.delete(0, "end")
        self.link.insert(0, link)
        self.name.focus_set()
        self.name.selection_range(0, "end")

    def join(self) -> None:
        """Join with what was given."""
        if self._busy:
            return
        try:
            link = links.parse_link(self.link.get())
            link = at(link, self.nearby.chosen if self.nearby is not None else None)
            check_name(self.name.get().strip())
        except BadName as error:
            self._wrong(error)
            self.name.focus_set()
        except ChatSecureError as error:
            self._wrong(error)
            self.link.focus_set()
        else:
            there = links.format_link(link.host, link.port, link.fingerprint, link.secret)
            self._join(there, self.name.get().strip())

    def _join(self, link: str, name: str) -> None:
        self._wait(_("Making your keys and joining…"))
        folder = self._folder

        async def work() -> Profile:
            from chatsecure.client.joining import join

            return await join(folder, link, name, timeout=JOIN_TIMEOUT_S)

        def failed(error: ChatSecureError) -> None:
            self._wrong(error)
            if isinstance(error, Unreachable) and lan.available():
                self._offer_to_look(link, name)

        self._bridge.call(work, self._joined, failed)

    def _offer_to_look(self, link: str, name: str) -> None:
        """The server may have another address in this network by now."""
        parsed = links.parse_link(link)

        def look() -> None:
            button.destroy()
            self._wait(_("Looking for the server on this network…"))

            async def work() -> lan.Found | None:
                import asyncio

                from chatsecure.client.whereabouts import locate

                return await asyncio.to_thread(locate, parsed.fingerprint)

            def done(there: lan.Found | None) -> None:
                if there is None:
                    self._wrong(Unreachable(_("It is not on this network.")))
                    return
                again = links.format_link(there.host, there.port, parsed.fingerprint, parsed.secret)
                self._join(again, name)

            self._bridge.call(work, done, self._wrong)

        button = self.button(_("Look for it on this network"), look, "Soft.TButton")

    def _wait(self, text: str) -> None:
        self._busy = True
        self._agree.configure(state="disabled")
        self.error.configure(text=text, style="Dim.TLabel")

    def _free(self) -> None:
        self._busy = False
        self._agree.configure(state="normal")
        self.error.configure(text="")

    def _wrong(self, error: ChatSecureError) -> None:
        self._free()
        self.error.configure(text=seen(harmless(told(error), lines=False)), style="Error.TLabel")

    # --- a server of one's own ----------------------------------------------------------------

    def own_server(self) -> None:
        """Start a server on this computer and become its owner."""
        self.clear()
        self.heading(_("A server on this computer"))
        self.say(
            _("It runs as long as your window is open, and others in this network can join it with "
              "an invitation of yours. To run one always: chatsecure serve")
        )  # fmt: skip
        self.name = self.field(_("Your name"), _own_name())
        self.name.bind("<Return>", lambda _event: self._start_server())
        self._end(_("Start"), self._start_server)
        self.name.focus_set()

    def _start_server(self) -> None:
        if self._busy:
            return
        try:
            name = check_name(self.name.get().strip())
        except BadName as error:
            self._wrong(error)
            return
        self._wait(_("Starting the server…"))
        server = self.server = OwnServer(self._folder.parent / "server")

        async def work() -> str:
            import asyncio

            return await asyncio.to_thread(server.start)

        def started(link: str) -> None:
            if not link:
                self._wrong(
                    Unreachable(
                        _("The server on this computer has an owner already."),
                        hint=_("join it with an invitation"),
                    )
                )
                return
            self._join(link, name)

        self._bridge.call(work, started, self._wrong)

    # --- the demo -----------------------------------------------------------------------------

    def demo(self) -> None:
        """Play the demo, in windows of its own."""
        subprocess.Popen(
            [sys.executable, "-m", "chatsecure", "demo", "--faces", "gui"],
            stdin=subprocess.DEVNULL,
        )
        self._leave()


class Locked(Page):
    """The profile is locked: ask for its passphrase, or say why it cannot be opened."""

    def __init__(
        self,
        root: tk.Tk,
        theme: Theme,
        error: ChatSecureError,
        unlock: Callable[[str], None],
        leave: Callable[[], None],
    ) -> None:
        super().__init__(root, theme)
        root.protocol("WM_DELETE_WINDOW", leave)
        self.heading(_("Your profile"))
        self.say(seen(harmless(told(error), lines=False)), "TLabel")
        if "passphrase" in str(error):
            entry = self.field(_("Passphrase"), hide=True)
            entry.bind("<Return>", lambda _event: unlock(entry.get()))
            self.button(_("Open"), lambda: unlock(entry.get()), "Accent.TButton")
            entry.focus_set()
        self.button(_("Leave"), leave, "Flat.TButton")


def _own_name() -> str:
    """The name this person has on the computer, where it can be one of ours."""
    from getpass import getuser

    try:
        return check_name(getuser())
    except (OSError, KeyError, ImportError, ChatSecureError):
        return ""
