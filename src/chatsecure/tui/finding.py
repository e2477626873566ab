"""Screens with a line to type in over a list that follows it: going somewhere by a few letters,
what was typed before, and search. Each gives what was chosen back when it is dismissed.
"""

from collections.abc import Callable, Sequence
from itertools import starmap
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Input

from chatsecure.cli.human import clock
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.words import _

from .block import sought_style
from .keys import CLOSE, Bound
from .palette import Palette, name_colour, style
from .plain import Plain, entitle
from .rows import Entry, Rows
from .sought import around, marked
from .text import fill

SEARCH_FOUND = 100
SEARCH_PAUSE_S = 0.15
"""So long after the last key a search begins."""


class Filtered(ModalScreen[Any]):
    """A line to type in over a list that follows it."""

    BINDINGS: ClassVar[list[Bound]] = [
        CLOSE,
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("pageup", "move(-8)", show=False, priority=True),
        Binding("pagedown", "move(8)", show=False, priority=True),
    ]

    def __init__(self, title: str, hint: str, palette: Callable[[], Palette]) -> None:
        super().__init__()
        self.palette = palette
        self._title = title
        self._hint = hint

    def compose(self) -> ComposeResult:
        """The line and the list."""
        with Vertical(classes="box large") as box:
            entitle(box, self._title)
            line = Input(placeholder=self._hint)
            line.cursor_blink = False
            yield line
            yield Rows(self.palette, self.draw, classes="-always")
            yield Plain("", classes="said")

    def on_mount(self) -> None:
        """The keyboard goes to the line."""
        self.query_one(Input).focus()

    @property
    def typed(self) -> str:
        """What is typed."""
        return self.query_one(Input).value

    def draw(self, width: int) -> list[Entry]:
        """The entries that go with what is typed."""
        raise NotImplementedError

    def show(self) -> None:
        """The list anew, from its top."""
        rows = self.query_one(Rows)
        rows.cursor = 0
        rows.entries = ()
        rows.redraw()

    def on_input_changed(self) -> None:
        """Something was typed."""
        self.show()

    def on_input_submitted(self) -> None:
        """Enter takes what is marked."""
        self.query_one(Rows).action_choose()

    def action_move(self, by: int) -> None:
        """Move the mark."""
        self.query_one(Rows).action_move(by)

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Something is taken."""
        event.stop()
        self.dismiss(event.value)


class Switcher(Filtered):
    """Choose by a few letters: where to go, or what was typed before."""

    def __init__(
        self, names: Sequence[str], palette: Callable[[], Palette], title: str = ""
    ) -> None:
        super().__init__(title or _("Go to"), _("a few letters"), palette)
        self._names = names

    def draw(self, width: int) -> list[Entry]:
        """The names that have these letters in order, the nearest first."""
        palette = self.palette()
        found = matching(self.typed, self._names)
        return [
            Entry(
                (
                    Segment(
                        fill(f" {harmless(name, lines=False)}", width),
                        style(palette.whisper if name[0] == "@" else palette.text),
                    ),
                ),
                name,
            )
            for name in found
        ]


def matching(letters: str, names: Sequence[str]) -> list[str]:
    """The names that hold these letters in order: those that begin with them first."""
    wanted = letters.casefold().strip()

    def rank(name: str) -> int | None:
        folded = name.casefold()
        if folded.startswith(wanted) or folded[1:].startswith(wanted):
            return 0
        if wanted in folded:
            return 1
        at = -1
        for letter in wanted:
            at = folded.find(letter, at + 1)
            if at < 0:
                return None
        return 2

    ranked = [(found, name) for name in names if (found := rank(name)) is not None]
    return [name for _rank, name in sorted(ranked, key=lambda pair: pair[0])]


class Search(Filtered):
    """Find messages; gives the line to go to."""

    def __init__(
        self,
        find: Callable[[str], Sequence[HistoryLine]],
        where: str,
        palette: Callable[[], Palette],
        begun: str = "",
    ) -> None:
        super().__init__(where, _("words, or how words begin"), palette)
        self._find = find
        self._found: Sequence[HistoryLine] = ()
        self._timer: Timer | None = None
        self._begun = begun
        self.words = ""
        """What was searched for."""

    def on_mount(self) -> None:
        """What was typed after /search is looked for at once."""
        super().on_mount()
        self.query_one(Input).value = self._begun

    def on_input_changed(self) -> None:
        """Search a moment after the last key."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(SEARCH_PAUSE_S, self._look)

    def _look(self) -> None:
        words = self.typed.strip()
        self.words = words
        self._found = list(reversed(self._find(words))) if len(words) > 1 else []
        said = ""
        if len(words) > 1:
            said = _("{n} found, the newest first").format(n=len(self._found))
            if len(self._found) >= SEARCH_FOUND:
                said = _("the newest {n}").format(n=len(self._found))
        self.query_one(".said", Plain).update(said)
        self.show()

    def draw(self, width: int) -> list[Entry]:
        """What was found, the newest first."""
        palette = self.palette()
        words = tuple(self.words.split())
        entries = []
        for line in self._found:
            where = harmless_name(line.conversation)
            head = f" {clock(line.at)} {where} "
            name = harmless_name(line.sender)
            text = " ".join(harmless(line.text, lines=False).split())
            room = max(0, width - cell_len(f"{head}{name}: "))
            said = [(fill(around(text, words, room), room), style(palette.text))]
            entries.append(
                Entry(
                    (
                        Segment(head, style(palette.dim)),
                        Segment(name + ": ", style(name_colour(palette, line.sender))),
                        *starmap(Segment, marked(said, words, sought_style(palette))),
                    ),
                    line,
                )
            )
        return entries
