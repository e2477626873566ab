"""Where one types: several lines, completion, what was typed before, and a paste that asks.

It tells the application what was entered; what that does is not its business.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.widgets import TextArea

from chatsecure.cli.slash_completion import completions, paths
from chatsecure.client.display import harmless

from .keys import COMPOSER, Bound, bindings

PASTE_LINES = 5
"""A paste of more lines than this is asked about."""

On = Callable[[str, Any], None]
"""Is told at once, before the next key is looked at, what is wanted: `entered` a text; `earlier`
what was typed before (-1) or after (1); `pasted` a text and maybe the path it is; `offered` what
Tab may complete to; `help`, `recall`, `give-up`, `select`, `leave`, `next`, `previous`;
`scroll`."""
Names = Callable[[], tuple[Sequence[str], Sequence[str]]]
"""Users and rooms, for completion."""


class Composer(TextArea):
    """The line that is typed."""

    BINDINGS: ClassVar[list[Bound]] = bindings(COMPOSER)

    def __init__(self, names: Names, on: On, **more: Any) -> None:
        super().__init__(soft_wrap=True, show_line_numbers=False, tab_behavior="focus", **more)
        self.cursor_blink = False
        self.highlight_cursor_line = False
        self._names = names
        self._on = on
        self._offers: list[str] = []
        self._chosen = -1
        self._word = ""

    # --- keys ---------------------------------------------------------------------------------

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "question_mark" and not self.text:
            event.stop()
            event.prevent_default()
            self._on("help", None)
            return
        if event.key == "enter":
            # The text area would take it for a new line.
            event.stop()
            event.prevent_default()
            self.action_submit()
            return
        if event.key not in ("tab", "shift+tab"):
            self._end_completion()
        # What is typed is taken in by the text area's own handler, which comes after this one.

    async def _on_paste(self, event: events.Paste) -> None:
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        path = pasted_path(text)
        if text.count("\n") >= PASTE_LINES or path is not None:
            event.stop()
            event.prevent_default()
            self._on("pasted", (text, path))

    def take(self, text: str) -> None:
        """Put a text in at the cursor."""
        self.insert(text, maintain_selection_offset=False)
        self.focus()

    def replace_all(self, text: str) -> None:
        """Let this text stand there, with the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    def action_submit(self) -> None:
        """Enter."""
        self._end_completion()
        if self.text.strip():
            self._on("entered", self.text)

    def action_new_line(self) -> None:
        """A new line in the text."""
        self.insert("\n", maintain_selection_offset=False)

    def action_earlier(self) -> None:
        """Up: the row above, or what was typed before."""
        if self.cursor_at_first_line:
            self._on("earlier", -1)
        else:
            self.action_cursor_up()

    def action_later(self) -> None:
        """Down: the row below, or what was typed after."""
        if self.cursor_at_last_line:
            self._on("earlier", 1)
        else:
            self.action_cursor_down()

    def action_give_up(self) -> None:
        """Escape."""
        self._on("give-up", None)

    def action_recall(self) -> None:
        """Choose from what was typed before."""
        self._on("recall", None)

    def action_select_message(self) -> None:
        """To the messages."""
        self._on("select", None)

    def action_scroll(self, by: int) -> None:
        """Scroll the conversation while typing."""
        self._on("scroll", by)

    def action_clear(self) -> None:
        """Copy what is selected, or empty the line."""
        if self.selected_text:
            self.action_copy()
        elif selected := self.screen.get_selected_text():
            self.app.copy_to_clipboard(selected)
            self.screen.clear_selection()
        elif self.text:
            self.replace_all("")
        else:
            self._on("leave", None)

    # --- completion ---------------------------------------------------------------------------

    def _before(self) -> str:
        row, column = self.cursor_location
        lines = self.text.split("\n")
        return "\n".join([*lines[:row], lines[row][:column]])

    def action_complete(self, by: int) -> None:
        """Complete the word before the cursor; again: the next that it may be."""
        if not self.text:
            self._on("next" if by > 0 else "previous", None)
            return
        if not self._offers:
            users, rooms = self._names()
            word, offers, path = completions(self._before(), users=users, rooms=rooms)
            self._word = word
            self._offers = paths(word) if path else [harmless(one) for one in offers]
            self._chosen = -1 if by > 0 else 0
        if not self._offers:
            return
        self._chosen = (self._chosen + by) % len(self._offers)
        chosen = self._offers[self._chosen]
        row, column = self.cursor_location
        self.replace(
            chosen, (row, column - len(self._word)), (row, column), maintain_selection_offset=False
        )
        self._word = chosen
        if len(self._offers) == 1:
            self._end_completion()
        else:
            self._on("offered", (self._offers, self._chosen))

    def _end_completion(self) -> None:
        if self._offers:
            self._offers = []
            self._on("offered", ([], -1))


def pasted_path(text: str) -> Path | None:
    """The file whose path was pasted, as a terminal does when a file is dropped on it."""
    line = text.strip()
    if "\n" in line or len(line) > 4096:
        return None
    if len(line) > 1 and line[0] == line[-1] and line[0] in "'\"":
        line = line[1:-1]
    line = line.removeprefix("file://").replace("\\ ", " ")
    if not line.startswith(("/", "~/")) and line[1:3] not in (":\\", ":/"):
        return None
    try:
        path = Path(line).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None
