"""Fields the person writes in, guarded: what Tk on X11 cannot show never reaches it as text.

An emoji becomes a picture inside a `Text` (read back by `plain_text`); an `Entry` can hold no
pictures, so there it is spelt. Old versions of Xft end the process when they draw a colour glyph,
whatever widget it stands in. The widget's own command is what everything that inserts goes
through: keys, input methods, paste, drop.
"""

import tkinter as tk
from collections.abc import Callable

from .glyphs import Glyphs, fit_for_tk, split_runs
from .theme import Theme

_PICTURES = "chatsecure_pictures"


def guard(text: tk.Text, theme: Theme) -> None:
    """Guard a `Text`: emoji are put in as pictures."""
    glyphs = Glyphs(theme)
    if not glyphs.draws:
        return
    names: dict[str, tuple[str, tk.PhotoImage]] = {}
    setattr(text, _PICTURES, names)

    def insert(original: str, arguments: tuple[str, ...]) -> object:
        place, *pairs = arguments
        call = text.tk.call
        if all(part.isascii() for part in pairs[::2]):
            return call(original, "insert", *arguments)
        # A mark that stays behind what is inserted keeps the places right.
        call(original, "mark", "set", "guarded", place)
        call(original, "mark", "gravity", "guarded", "right")
        size = theme.line_px("body")
        for part, *tags in _paired(pairs):
            for run in split_runs(part):
                if run.kind != "emoji":
                    call(original, "insert", "guarded", _letters(run.text), *tags)
                    continue
                image = glyphs.emoji(run.text, size)
                name = str(
                    call(original, "image", "create", "guarded", "-image", str(image),
                         "-name", "emoji", "-align", "center")
                )  # fmt: skip
                names[name] = (run.text, image)
        call(original, "mark", "unset", "guarded")
        return ""

    _redirect(text, insert)


def _paired(parts: list[str]) -> list[tuple[str, ...]]:
    return [tuple(parts[at : at + 2]) for at in range(0, len(parts), 2)]


def _letters(text: str) -> str:
    """Letters for Tk; a sign that may come in colour and is no emoji of its own is spelt."""
    return fit_for_tk(text, visual=False)


def plain_text(text: tk.Text, start: str = "1.0", end: str = "end-1c") -> str:
    """What stands in a guarded `Text`, pictures as what they stand for."""
    names = getattr(text, _PICTURES, None)
    if not names:
        return text.get(start, end)
    parts = []
    for kind, value, _place in text.dump(start, end, text=True, image=True):
        if kind == "text":
            parts.append(value)
        elif value in names:
            parts.append(names[value][0])
    return "".join(parts)


def places(text: tk.Text, length: int) -> int:
    """How many places before the cursor the last `length` signs take: a picture takes one."""
    names = getattr(text, _PICTURES, None)
    if not names:
        return length
    left, taken = length, 0
    dumped = text.dump("insert linestart", "insert", text=True, image=True)
    for kind, value, _place in reversed(dumped):
        if left <= 0:
            break
        if kind == "text":
            used = min(left, len(value))
            taken, left = taken + used, left - used
        elif value in names:
            taken, left = taken + 1, left - len(names[value][0])
    return taken


def guard_entry(entry: tk.Entry) -> None:
    """Guard an `Entry` or a `ttk.Entry`: emoji are spelt."""
    if str(entry.tk.call("tk", "windowingsystem")) != "x11":
        return

    def insert(original: str, arguments: tuple[str, ...]) -> object:
        place, words = arguments
        return entry.tk.call(original, "insert", place, _letters(words))

    _redirect(entry, insert)
    # On X11 Tk goes to the beginning of the line, as few people expect.
    entry.bind("<Control-a>", lambda _event: _select_all(entry))


def _select_all(entry: tk.Entry) -> str:
    entry.selection_range(0, "end")
    entry.icursor("end")
    return "break"


def fit_lines(text: str) -> str:
    """A text of several lines for a plain `Text`."""
    return "\n".join(fit_for_tk(line) for line in text.split("\n"))


def _redirect(widget: tk.Misc, insert: Callable[[str, tuple[str, ...]], object]) -> None:
    """Put a function in the place of a widget's own `insert`."""
    path = str(widget)
    original = path + "_guarded"
    widget.tk.call("rename", path, original)

    def command(*arguments: str) -> object:
        if arguments and arguments[0] == "insert" and len(arguments) > 2:
            return insert(original, arguments[1:])
        return widget.tk.call(original, *arguments)

    widget.tk.createcommand(path, command)

    def destroyed(event: "tk.Event[tk.Misc]") -> None:
        if event.widget is widget:
            widget.tk.deletecommand(path)

    widget.bind("<Destroy>", destroyed, add=True)
