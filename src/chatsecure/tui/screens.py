"""The screens that lie over the conversation for a moment: help, a choice, going somewhere by a
few letters, search, and the safety number. Each gives its answer back when it is dismissed.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from chatsecure.cli.human import clock
from chatsecure.cli.slash import COMMANDS
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.client.lines import Verification
from chatsecure.links import half_blocks
from chatsecure.words import _

from .keys import Bound, help_rows
from .palette import Palette, name_colour, style
from .rows import Entry, Rows
from .text import fill

NARROW = 70
"""Below so many columns, what stands beside each other elsewhere stands below."""
SEARCH_FOUND = 100
SEARCH_PAUSE_S = 0.15
"""So long after the last key a search begins."""

CLOSE = Binding("escape", "dismiss", show=False)


class Plain(Static):
    """A text that is no markup of Textual's: it may be foreign."""

    def __init__(self, text: str = "", **more: Any) -> None:
        super().__init__(text, markup=False, **more)
        self._said = text

    def say(self, text: str) -> None:
        """Show another text of one line; nothing is laid out anew, nor drawn if it is the same."""
        if text != self._said:
            self._said = text
            self.update(text, layout=False)


def entitle(widget: Widget, text: str) -> None:
    """Write a text into a frame: as it is, for it may hold a foreign name."""
    widget.border_title = Content(text)


class Help(ModalScreen[None]):
    """The keys and the commands."""

    BINDINGS: ClassVar[list[Bound]] = [CLOSE, Binding("f1,q,question_mark", "dismiss", show=False)]

    def compose(self) -> ComposeResult:
        """The two tables."""
        with VerticalScroll(classes="box large") as box:
            entitle(box, _("Keys and commands · Esc closes"))
            yield Plain()

    def on_resize(self, event: events.Resize) -> None:
        """Keys beside their words where there is room, else above them."""
        self.query_one(Plain).update("\n".join(_help(event.size.width)).strip("\n"))


def _help(width: int) -> list[str]:
    rows = help_rows()
    wide = max(len(keys) for keys, _text in rows)
    between = f"\n{'':6}" if width < NARROW else ""
    lines = []
    for keys, text in rows:
        if not keys:
            lines += ["", text.upper()]
        elif between:
            lines.append(f"  {keys}{between}{text}")
        else:
            lines.append(f"  {keys:<{wide}}  {text}")
    lines += ["", _("Commands").upper()]
    for usage, text in usages():
        lines.append(f"  {usage}{between or '  '}{text}")
    return lines


def usages() -> list[tuple[str, str]]:
    """The commands as they are typed, and what they do."""
    wide = max(len(command.usage) for command in COMMANDS)
    return [(f"{command.usage:<{wide}}", _(command.help)) for command in COMMANDS]


Option = tuple[str, str, Any]
"""A key, words, and the value they stand for."""


class Choose(ModalScreen[Any]):
    """A question with a few answers; each has a key. None: no answer."""

    BINDINGS: ClassVar[list[Bound]] = [CLOSE]

    def __init__(
        self, title: str, options: Sequence[Option], palette: Callable[[], Palette], body: str = ""
    ) -> None:
        super().__init__()
        self._title = title
        self._options = options
        self._palette = palette
        self._body = body

    def compose(self) -> ComposeResult:
        """The question, and its answers as a list."""
        with Vertical(classes="box") as box:
            entitle(box, self._title)
            if self._body:
                yield Plain(self._body, classes="said")
            rows = Rows(self._palette, self._draw, classes="-always")
            rows.styles.height = len(self._options)
            yield rows

    def on_mount(self) -> None:
        """The keyboard goes to the list."""
        self.query_one(Rows).focus()

    def _draw(self, width: int) -> list[Entry]:
        palette = self._palette()
        return [
            Entry(
                (
                    Segment(fill(f" {key}", 4), style(palette.accent, bold=True)),
                    Segment(fill(words, width - 4), style(palette.text)),
                ),
                (value,),
            )
            for key, words, value in self._options
        ]

    def on_key(self, event: Any) -> None:
        """A key of an answer."""
        for key, _words, value in self._options:
            if event.character == key:
                event.stop()
                self.dismiss(value)

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """An answer."""
        event.stop()
        self.dismiss(event.value[0])


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
        entries = []
        for line in self._found:
            where = harmless_name(line.conversation)
            head = f" {clock(line.at)} {where} "
            name = harmless_name(line.sender)
            text = " ".join(harmless(line.text, lines=False).split())
            room = max(0, width - len(head))
            entries.append(
                Entry(
                    (
                        Segment(head, style(palette.dim)),
                        Segment(name + ": ", style(name_colour(palette, line.sender))),
                        Segment(fill(text, room), style(palette.text)),
                    ),
                    line,
                )
            )
        return entries


class Safety(ModalScreen[str | None]):
    """The safety number, to compare; gives `mark`, `accept` or nothing."""

    BINDINGS: ClassVar[list[Bound]] = [
        CLOSE,
        Binding("m", "answer('mark')", show=False),
        Binding("a", "answer('accept')", show=False),
    ]

    def __init__(self, found: Verification) -> None:
        super().__init__()
        self._found = found

    def compose(self) -> ComposeResult:
        """The number in groups and as a code to scan, and what it is for."""
        found = self._found
        who = harmless_name(found.user)
        groups = found.safety_number.split()
        rows = "\n".join("  ".join(groups[at : at + 4]) for at in range(0, len(groups), 4))
        if found.changed:
            state = _(
                "The identity of {name} has CHANGED. It may be a new device or somebody else in "
                "between. Nothing is sent until you decide."
            )
        elif found.verified:
            state = _("You have compared this number with {name}.")
        else:
            state = _("You have not compared this number with {name} yet.")
        with VerticalScroll(classes="box large") as box:
            entitle(box, _("Safety number with {name}").format(name=who))
            with Horizontal(classes="safety"):
                yield Plain(qr(found.safety_number.replace(" ", "")), classes="qr")
                yield Plain(
                    f"{rows}\n\n{state.format(name=who)}\n\n"
                    + _(
                        "Read it to each other, face to face or on the phone. If both see the "
                        "same digits, nobody is in between: not the server, not its operator."
                    )
                    + f"\n\n{_('fingerprint')} {found.fingerprint}",
                    classes="digits",
                )
            answers = ["m  " + _("they are the same: mark as compared")]
            if found.changed:
                answers.append("a  " + _("accept the new identity without comparing"))
            answers.append("Esc  " + _("back"))
            yield Plain("\n".join(answers), classes="said")

    def action_answer(self, what: str) -> None:
        """Decide."""
        if what == "mark" or self._found.changed:
            self.dismiss(what)


def qr(text: str) -> str:
    """A QR code of half blocks, two modules in a row's height; dark on light by its colours."""
    import segno

    rows = segno.make(text, error="m", micro=False).matrix_iter(border=2)
    return half_blocks([[bool(cell) for cell in row] for row in rows])


class Line(ModalScreen[str | None]):
    """One line is asked for."""

    BINDINGS: ClassVar[list[Bound]] = [CLOSE]

    def __init__(self, title: str, hint: str, begun: str = "") -> None:
        super().__init__()
        self._title = title
        self._hint = hint
        self._begun = begun

    def compose(self) -> ComposeResult:
        """The line."""
        with Vertical(classes="box") as box:
            entitle(box, self._title)
            line = Input(self._begun, placeholder=self._hint)
            line.cursor_blink = False
            yield line

    def on_mount(self) -> None:
        """The keyboard goes to the line."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        self.dismiss(event.value)
