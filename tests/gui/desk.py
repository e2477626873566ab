"""A desk with windows on it: a real server, people with profiles, and their windows, all of whose
Tk roots are kept going by whoever waits."""

import asyncio
import contextlib
import time
import tkinter as tk
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chatsecure.cli.output import Options, Output
from chatsecure.client.client import Client
from chatsecure.client.joining import join
from chatsecure.demo import Server, running_server
from chatsecure.gui.app import App

PATIENCE_S = 30.0


class Desk:
    """The windows of several people."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        self.apps: list[App] = []
        self.failed: list[BaseException] = []

    def profile(self, name: str) -> Path:
        return self.folder / name

    def meet(self, *names: str) -> None:
        """The first joins as the owner, the others by an invitation."""
        asyncio.run(self._meet(names))

    async def _meet(self, names: tuple[str, ...]) -> None:
        owner = await join(self.profile(names[0]), self.server.link, names[0], timeout=PATIENCE_S)
        async with Client(owner) as client:
            await client.ready(PATIENCE_S)
            link = await client.invite(uses=max(1, len(names) - 1))
        owner.close()
        for name in names[1:]:
            (await join(self.profile(name), link, name, timeout=PATIENCE_S)).close()

    def start(self, name: str, geometry: str = "1000x700+0+0", *more: str) -> App:
        """Open somebody's window, whatever it shows first."""
        app = App(Namespace(geometry=geometry), Output(Options(profile=self.profile(name))))
        app.root.report_callback_exception = lambda _kind, error, _trace: self.failed.append(error)
        self.apps.append(app)
        app.begin()
        return app

    def open(self, name: str, geometry: str = "1000x700+0+0") -> "Face":
        """Open somebody's window and wait until it is of use."""
        app = self.start(name, geometry)
        self.until(lambda: app.window is not None and app.window.view.target, "the window opens")
        face = Face(self, app)
        self.until(lambda: face.window.online, "it is online")
        return face

    def pump(self) -> None:
        """One turn of all windows."""
        for app in self.apps:
            with contextlib.suppress(tk.TclError):
                app.root.update()
        if self.failed:
            raise self.failed[0]

    def until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE_S) -> None:
        """Keep the windows going until something is so."""
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, f"not in time: {what}"
            self.pump()
            time.sleep(0.005)

    def settle(self, turns: int = 20) -> None:
        """Let what is due be drawn."""
        for _ in range(turns):
            self.pump()
            time.sleep(0.01)

    def close(self) -> None:
        """Close all windows."""
        for app in self.apps:
            app.leave()
        self.apps.clear()


class Face:
    """Somebody at their window: what they do with it, what they see in it."""

    def __init__(self, desk: Desk, app: App) -> None:
        self.desk, self.app = desk, app
        assert app.window is not None
        self.window = app.window
        self.view = app.window.view

    def focus(self) -> None:
        """Take the keys of the screen."""
        self.app.root.lift()
        self.app.root.focus_force()
        self.view.composer.text.focus_force()
        self.desk.settle(3)

    def type(self, text: str) -> None:
        """Type into the composer."""
        self.view.composer.insert(text)

    def press(self, keys: str, widget: tk.Misc | None = None) -> None:
        """Press a key, as `<Return>`."""
        target = widget or self.view.composer.text
        target.focus_force()
        self.desk.until(lambda: target.focus_get() is target, "the keys go there")
        target.event_generate(keys)
        self.desk.settle(2)

    def say(self, text: str) -> None:
        """Type and send."""
        self.type(text)
        self.press("<Return>")

    def go(self, target: str) -> None:
        """Open a conversation."""
        self.window.acts.open(target)
        self.desk.until(lambda: self.view.target == target, f"{target} opens")

    def lines(self) -> list[str]:
        """The texts of the messages the open conversation has, from the profile."""
        return [line.text for line in self.ask(lambda: self._history()) if line.notice is None]

    def _history(self) -> list[Any]:
        return self.app.session.client.history(self.view.target, 200)

    def ask(self, work: Callable[[], Any]) -> Any:
        """Ask the client, on its thread."""
        answer: list[Any] = []
        self.app.session.bridge.ask(work, answer.append)
        self.desk.until(lambda: answer, "the client answers")
        return answer[0]

    def ask_later(self, work: Callable[[], Any]) -> Any:
        """Ask the client something that takes a while."""
        answer: list[Any] = []
        self.app.session.bridge.call(work, answer.append)
        self.desk.until(lambda: answer, "the client answers")
        return answer[0]

    def shows(self, text: str) -> bool:
        """Whether a text stands in the history."""
        return text in self.shown()

    def shown(self) -> str:
        """All text of the history's widget."""
        return "\n".join(all_text(self.view.history))


def all_text(widget: tk.Misc) -> Iterator[str]:
    """The texts of a widget and of all in it."""
    if isinstance(widget, tk.Text):
        yield widget.get("1.0", "end")
    elif isinstance(widget, tk.Entry):
        yield widget.get()
    else:
        with contextlib.suppress(tk.TclError):
            yield str(widget.cget("text"))
    for child in widget.winfo_children():
        yield from all_text(child)


@contextlib.contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """A desk with a server."""
    with running_server(folder / "server", folder / "server.log") as server:
        made = Desk(folder, server)
        try:
            yield made
        finally:
            made.close()
