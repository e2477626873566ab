"""A text on the screen that is taken as it is, and the title of a frame."""

from typing import Any

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static


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
