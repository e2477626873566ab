"""`chatsecure gui`: from the command line to a window, and what stands in the way.

No display, a Python without tkinter, a Tk without smooth letters: each is told in one line. The
window is there first; the profile is opened on the client's thread meanwhile.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatsecure.cli.output import Output
from chatsecure.client.display import harmless
from chatsecure.wire.errors import ChatSecureError
from chatsecure.words import told

if TYPE_CHECKING:
    import tkinter as tk

    from chatsecure.client.profile.folder import Profile

    from .bridge import Bridge
    from .session import Session
    from .theme import Theme
    from .window import Window

COLLECT_MS = 2000
COLLECT_ALL = 30
"""Each so many times all garbage is collected, else the youngest."""
SMALLEST = (420, 320)
FIRST_SIZE = (1080, 720)

PACKAGES = {
    "darwin": "brew install python-tk",
    "win32": "install Python from python.org with its option tcl/tk",
}
DEBIAN = "sudo apt install python3-tk (Fedora: python3-tkinter, Arch: tk)"
NO_XFT = (
    "this Python's Tk draws coarse letters; for smooth ones install with the system's Python: "
    "uv tool install --no-managed-python chatsecure"
)


class NoWindow(ChatSecureError):
    """There can be no window here."""


def gui(args: Namespace, output: Output) -> int:
    """`chatsecure gui`."""
    return App(args, output).run()


def make_root() -> tk.Tk:
    """Tk's root window, hidden.

    Raises:
        NoWindow: no tkinter, or no display.
    """
    try:
        import tkinter as tk
    except ImportError:
        raise NoWindow(
            "this Python has no tkinter", hint=PACKAGES.get(sys.platform, DEBIAN)
        ) from None
    _sharpen()
    try:
        root = tk.Tk(className="ChatSecure")
    except tk.TclError as error:
        said = str(error)
        if "display" not in said:
            raise NoWindow(f"Tk does not start: {said}") from None
        raise NoWindow("no display", hint="try `chatsecure tui`") from None
    root.withdraw()
    return root


def _sharpen() -> None:
    """Tell Windows that we scale by ourselves, or it blurs the window."""
    if sys.platform == "win32":
        import ctypes

        with contextlib.suppress(AttributeError, OSError):
            ctypes.windll.shcore.SetProcessDpiAwareness(1)


def coarse_letters(root: tk.Misc) -> bool:
    """Whether this is a Tk on X11 without Xft, whose letters are bitmaps."""
    if root.tk.call("tk", "windowingsystem") != "x11":
        return False
    system = root.tk.eval("catch {::tk::pkgconfig get fontsystem} found; set found")
    return str(system) != "xft"


class App:
    """One run of the window."""

    def __init__(self, args: Namespace, output: Output) -> None:
        self.output = output
        self.folder: Path
        self.geometry: str = getattr(args, "geometry", None) or ""
        self.following = bool(getattr(args, "follow", False))
        self.root = make_root()
        from .bridge import Bridge

        self.session: Session | None = None
        self.window: Window | None = None
        self._left = False
        # The profile is opened over there while the window is made here.
        self.bridge: Bridge = Bridge(self.root, self._failed)
        self._open_profile(None)
        from .looks import resolve, system_scale
        from .theme import Theme

        self.theme: Theme = Theme(self.root, resolve("auto"), system_scale(self.root))
        self.root.title("ChatSecure")
        self.root.minsize(*SMALLEST)
        self._icon()

    def run(self) -> int:
        """Show the window until the person leaves; gives the exit code."""
        self._end_on_signals()
        # Only Tk's own thread may free what is Tk's: freed by another, a picture would wait for Tk,
        # and Tk would end the process. So nobody else collects garbage.
        gc.disable()
        self.begin()
        self._collect()
        self.root.mainloop()
        return 0

    def _collect(self, turn: int = 0) -> None:
        gc.collect(2 if turn % COLLECT_ALL == 0 else 0)
        if turn == 0:
            # What is there from the start stays: it need not be looked at again.
            gc.freeze()
        self.root.after(COLLECT_MS, self._collect, turn + 1)

    def begin(self) -> None:
        """Show the window."""
        if coarse_letters(self.root):
            self.output.notice(f"chatsecure: {NO_XFT}")
        self._place(self.geometry)
        self.root.deiconify()

    def _place(self, geometry: str) -> None:
        wide, high = self.root.winfo_screenwidth(), self.root.winfo_screenheight()
        if not geometry:
            size = min(self.theme.px(FIRST_SIZE[0]), wide), min(self.theme.px(FIRST_SIZE[1]), high)
            geometry = f"{size[0]}x{size[1]}"
        self.root.geometry(geometry)

    def _icon(self) -> None:
        image = self.theme.icon("lock", 48, "accent")
        self.root.iconphoto(True, image)

    # --- the pages ----------------------------------------------------------------------------

    def _first_start(self) -> None:
        from .start import Start

        self.start: Start = Start(
            self.root, self.theme, self.bridge, self.folder, self._joined, self.leave
        )

    def _joined(self, profile: Profile) -> None:
        """The first start has made a profile."""
        self.start.destroy()
        session = self._session()
        self.bridge.call(lambda: session.adopt(profile), lambda _done: self._show())

    def _session(self) -> Session:
        from .session import Session

        self.session = Session(self.bridge, self._happened, self._said)
        return self.session

    def _open_profile(self, passphrase: str | None) -> None:
        session = self._session()

        async def open_it() -> None:
            from chatsecure.cli import session as profiles

            self.folder = profiles.folder(self.output)
            await session.start(self.folder, passphrase or profiles.given_passphrase(self.output))

        def failed(error: ChatSecureError) -> None:
            from chatsecure.client.profile.folder import NoProfile, exists

            from .start import Locked

            if isinstance(error, NoProfile) and not exists(self.folder):
                self._first_start()
                return
            self.locked: Locked = Locked(self.root, self.theme, error, self._unlock, self.leave)

        self.bridge.call(open_it, lambda _done: self._show(), failed)

    def _unlock(self, passphrase: str) -> None:
        self.locked.destroy()
        self._open_profile(passphrase)

    def _show(self) -> None:
        from .looks import letters, resolve
        from .window import Window

        session = self.session
        if session is None:
            return
        settings = session.settings
        palette, size = resolve(settings["theme"]), letters(settings["font_size"])
        if palette != self.theme.palette_name or size != self.theme.font_size:
            self.theme.apply(palette, size)
        place = settings["window geometry"]
        if place and not self.geometry and self._fits(place):
            self.root.geometry(place)
        self.window = Window(self.root, self.theme, session, self.leave, following=self.following)
        self._own_server()
        if self.output.json:
            self.root.after_idle(
                lambda: self.output.record({"event": "ready", "name": session.name})
            )

    def _own_server(self) -> None:
        """Start the person's own server again, if they began with one."""
        import asyncio

        from .ownserver import OwnServer

        session = self.session
        if session is None:
            return
        if getattr(self, "start", None) is not None and self.start.server is not None:
            session.save("window server", str(self.start.server.data))
        elif session.settings["window server"]:
            server = OwnServer(Path(session.settings["window server"]))
            # Where it runs already, its port is in use: just as well.
            self.bridge.call(lambda: asyncio.to_thread(server.start), failed=lambda _error: None)

    def _fits(self, geometry: str) -> bool:
        """Whether a kept place is still on the screen."""
        numbers = geometry.replace("x", "+").replace("-", "+").split("+")
        if len(numbers) != 4 or not all(number.isdigit() for number in numbers):
            return False
        wide, high, x, y = map(int, numbers)
        return (
            x + wide // 2 < self.root.winfo_screenwidth()
            and y + high // 2 < self.root.winfo_screenheight()
        )

    # --- what comes from the client -----------------------------------------------------------

    def _happened(self, events: list[tuple[Any, bool]]) -> None:
        if self.window is not None:
            self.window.happened(events)
        elif self.session is not None:
            # The window is being made: soon.
            self.root.after(20, lambda: self._happened(events))

    def _said(self, text: str) -> None:
        if self.window is not None:
            self.window.said(text)

    def _failed(self, error: ChatSecureError) -> None:
        if self.window is not None:
            self.window.failed(error)
        else:
            self.output.notice(f"chatsecure: {harmless(told(error), lines=False)}")

    # --- the end ------------------------------------------------------------------------------

    def _end_on_signals(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, lambda *_args: self._asked_to_end())
        if os.name == "posix":
            # A signal wakes Tk as what comes from the client does.
            signal.set_wakeup_fd(self.bridge.wakeup_fd, warn_on_full_buffer=False)

    def _asked_to_end(self) -> None:
        self.bridge.post(self.window.close if self.window is not None else self.leave)

    def leave(self) -> None:
        """Close everything and end."""
        from .files import forget_temporaries
        from .ownserver import stop_all

        if self._left:
            return
        self._left = True
        self.root.withdraw()
        if os.name == "posix":
            signal.set_wakeup_fd(-1)
        session = self.session
        self.bridge.close(session.stop if session is not None else None)
        stop_all()
        if session is not None:
            forget_temporaries()
        self.root.destroy()
