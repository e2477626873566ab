"""Files in the window: choosing, dropping and pasting them, their folder, their picture."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from chatsecure.client.history import HistoryLine

from . import shown
from .dialogs import Dialog, ask
from .wording import _, several

if TYPE_CHECKING:
    from .window import Window

MOST_AT_ONCE = 20
MAX_PICTURE_PIXELS = 50_000_000


def choose(window: Window) -> None:
    """Ask for files and send them."""
    found = filedialog.askopenfilenames(parent=window.root, title=_("Send files"))
    if found:
        send(window, [Path(name) for name in found])


def send(window: Window, paths: Sequence[Path]) -> None:
    """Send files to the open conversation, one after the other."""
    session, view = window.session, window.view
    target = view.target
    if not target:
        return
    if len(paths) > MOST_AT_ONCE:
        window.said(_("At most {n} files at once.").format(n=MOST_AT_ONCE))
        return

    async def work() -> None:
        for path in paths:
            await session.client.send_file(target, path)
            forget_temporary(path)
            session.bridge.post(lambda: view.news([]))

    session.bridge.call(work, lambda _done: window.refresh_rooms())


def dropped(window: Window, paths: Sequence[Path]) -> None:
    """Files were dropped or pasted: where they go is easily mistaken, so ask."""
    if not paths or not window.view.target:
        return
    names = ", ".join(shown.name(path.name) for path in paths[:5])
    more = ", …" if len(paths) > 5 else ""
    where = shown.target(window.view.target)
    ask(
        window.root, window.theme,
        several("Send {n} file to {{where}}?", "Send {n} files to {{where}}?", len(paths)).format(
            where=where
        ),
        names + more, agree=_("Send"), cancel=_("Cancel"),
        done=lambda: send(window, paths),
    )  # fmt: skip


def send_text(window: Window, text: str) -> None:
    """Send a long text as a file."""
    path = _temporary("pasted.txt")
    path.write_text(text, encoding="utf-8")
    send(window, [path])


_temporaries: set[Path] = set()
"""Folders of ours with what came from the clipboard; in the clear, so they go as soon as may be."""


def _temporary(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="chatsecure-"))
    _temporaries.add(folder)
    return folder / name


def forget_temporary(path: Path) -> None:
    """Delete a file of ours that has been sent; leaves others' alone."""
    if path.parent in _temporaries:
        _temporaries.discard(path.parent)
        shutil.rmtree(path.parent, ignore_errors=True)


def forget_temporaries() -> None:
    """Delete all that is left of them."""
    for folder in list(_temporaries):
        forget_temporary(folder / "any")


def paste(window: Window) -> None:
    """What lies on the clipboard is no text: copied files, or a picture."""
    uris = ""
    with contextlib.suppress(tk.TclError):
        uris = window.root.clipboard_get(type="text/uri-list")
    paths = from_uris(uris)
    if paths:
        dropped(window, paths)
        return

    def grab() -> None:
        # Another program is asked for it; that may be we, so Tk must go on meanwhile.
        from PIL import Image, ImageGrab

        found: object = None
        with contextlib.suppress(OSError, NotImplementedError, ValueError):
            found = ImageGrab.grabclipboard()
        if isinstance(found, list):
            listed = [Path(name) for name in found]
            window.session.bridge.post(lambda: dropped(window, listed))
        elif isinstance(found, Image.Image):
            path = _temporary("picture.png")
            found.save(path)
            window.session.bridge.post(lambda: dropped(window, [path]))

    threading.Thread(target=grab, name="clipboard", daemon=True).start()


def from_uris(text: str) -> list[Path]:
    """The local files of a list of URIs."""
    found = []
    for line in text.replace("\0", "\n").split():
        parts = urlsplit(line)
        path = unquote(parts.path)
        if parts.scheme == "file" and parts.netloc in ("", "localhost") and "\0" not in path:
            found.append(Path(path))
    return found


def show_in_folder(window: Window, line: HistoryLine) -> None:
    """Open the folder a file lies in. The file itself is never opened: it may be a program."""
    if not line.path:
        return
    path = Path(line.path)
    command: list[str] | str
    if sys.platform == "darwin":
        command = ["open", "-R", str(path)]
    elif sys.platform == "win32":
        # In its own quotes: explorer does not take them around the whole.
        command = f'explorer /select,"{path}"'
    else:
        command = ["xdg-open", str(path.parent)]
    try:
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        window.said(_("It lies in {folder}").format(folder=path.parent))


def show_picture(window: Window, line: HistoryLine) -> None:
    """Show a picture that was received whole, reduced to the screen, in a window of its own."""
    path = Path(line.path) if line.path else None
    if path is None:
        return
    most = (window.root.winfo_screenwidth() * 8 // 10, window.root.winfo_screenheight() * 8 // 10)

    def load() -> None:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as image:
                if image.width * image.height > MAX_PICTURE_PIXELS:
                    raise ValueError(_("the picture is too large"))
                image.draft("RGB", most)
                image.thumbnail(most)
                ready = image.convert("RGBA")
        except (OSError, ValueError, UnidentifiedImageError, SyntaxError) as error:
            said = str(error)
            window.session.bridge.post(
                lambda: window.said(_("It cannot be shown: {why}").format(why=said))
            )
        else:
            window.session.bridge.post(lambda: _picture(window, line, ready))

    threading.Thread(target=load, name="picture", daemon=True).start()


def _picture(window: Window, line: HistoryLine, image: object) -> None:
    from PIL import ImageTk

    dialog = Dialog(window.root, window.theme, shown.name(line.text))
    photo = ImageTk.PhotoImage(image, master=dialog)  # type: ignore[arg-type]
    label = ttk.Label(dialog.body, image=photo)
    label.photo = photo  # type: ignore[attr-defined] # Tk keeps no reference
    label.pack()
    dialog.button(_("Show in folder"), lambda: show_in_folder(window, line))
    dialog.button(_("Close"), dialog.destroy, agree=True)
    dialog.open()


def pick_emoji(window: Window, near: tk.Misc, picked: Callable[[str], None]) -> None:
    """Let the person choose an emoji."""
    from .emoji import EmojiPicker

    EmojiPicker(window.root, window.theme, picked).open(near)
