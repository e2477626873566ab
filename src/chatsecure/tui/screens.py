"""The screens that lie over the conversation for a moment: help, a choice, a line to fill in and
the safety number. Each gives its answer back when it is dismissed.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input

from chatsecure.cli.slash import COMMANDS
from chatsecure.client.display import harmless_name
from chatsecure.client.lines import Verification
from chatsecure.links import half_blocks
from chatsecure.words import _

from .keys import CLOSE, Bound, help_rows
from .palette import Palette, style
from .plain import Plain, entitle
from .rows import Entry, Rows
from .text import fill

NARROW = 70
"""Below so many columns, what stands beside each other elsewhere stands below."""


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
