"""Windows that ask or tell something: a frame, a title, buttons; Esc closes, Return agrees.

They stand beside the main window's work and never block it: no `wait_window`, no grab.
"""

import tkinter as tk
from collections.abc import Callable
from functools import partial
from tkinter import ttk

from .fields import guard_entry
from .glyphs import Glyphs, Ink
from .mirror import mirror
from .theme import Theme
from .wheel import on_wheel
from .wording import Seen


class Dialog(tk.Toplevel):
    """A window of its own with a body to fill and buttons below.

    Args:
        title: what it is about; fit for a title bar.
    """

    def __init__(self, master: tk.Misc, theme: Theme, title: str) -> None:
        super().__init__(master)
        self.withdraw()
        self.theme = theme
        self.title(title)
        self.transient(master.winfo_toplevel())
        self.configure(
            background=theme.color("window"), highlightthickness=1,
            highlightbackground=theme.color("line"), highlightcolor=theme.color("line"),
        )  # fmt: skip
        px = theme.px
        self.body = ttk.Frame(self, padding=(px(20), px(18), px(20), px(8)))
        self._buttons = ttk.Frame(self, padding=(px(20), px(8), px(20), px(16)))
        self._buttons.pack(side="bottom", fill="x")
        self.body.pack(fill="both", expand=True)
        self.bind("<Escape>", lambda _event: self.destroy())
        self._agree: ttk.Button | None = None
        self.first: tk.Misc | None = None
        """What has the keys at first."""

    def heading(self, text: str) -> ttk.Label:
        """A heading at the top of the body."""
        label = ttk.Label(self.body, text=text, style="Heading.TLabel")
        label.pack(anchor="w", pady=(0, self.theme.px(8)))
        return label

    def say(self, text: str, *, dim: bool = False, wide: int = 420) -> ttk.Label:
        """A paragraph."""
        style = "Dim.TLabel" if dim else "TLabel"
        label = paragraph(self.body, self.theme, text, style, wide)
        label.pack(anchor="w", pady=(0, self.theme.px(8)))
        return label

    def field(self, label: str, value: str = "", *, hide: bool = False) -> tk.StringVar:
        """A labelled field."""
        ttk.Label(self.body, text=label).pack(anchor="w")
        held = tk.StringVar(self, value)
        entry = ttk.Entry(self.body, textvariable=held, width=36, show="●" if hide else "")
        guard_entry(entry)
        entry.pack(fill="x", pady=(self.theme.px(2), self.theme.px(10)))
        self.first = self.first or entry
        return held

    def button(
        self, text: str, command: Callable[[], None], *, agree: bool = False, danger: bool = False
    ) -> ttk.Button:
        """A button at the bottom; that which agrees is Return's."""
        style = "Danger.TButton" if danger else "Accent.TButton" if agree else "TButton"
        button = ttk.Button(self._buttons, text=text, style=style, command=command)
        button.pack(side="right", padx=(self.theme.px(8), 0))
        button.bind("<Return>", partial(_pressed, button))
        if agree:
            self._agree = button
            self.bind("<Return>", lambda _event: button.invoke())
        return button

    def open(self) -> None:
        """Show it above the middle of the main window, with the keys in its first field."""
        mirror(self)
        self.update_idletasks()
        main = self.master.winfo_toplevel()
        wide = min(self.winfo_reqwidth(), self.winfo_screenwidth())
        high = min(self.winfo_reqheight(), self.winfo_screenheight())
        x = main.winfo_rootx() + (main.winfo_width() - wide) // 2
        y = main.winfo_rooty() + (main.winfo_height() - high) // 3
        x = max(0, min(x, self.winfo_screenwidth() - wide))
        y = max(0, min(y, self.winfo_screenheight() - high))
        # What is too high for the screen loses from its body, not its buttons.
        self.geometry(f"{wide}x{high}+{x}+{y}" if high < self.winfo_reqheight() else f"+{x}+{y}")
        self.deiconify()
        first = self.first or self._agree
        if first is not None:
            first.focus_set()
        else:
            self.focus_set()


def paragraph(
    master: tk.Misc, theme: Theme, text: str, style: str = "TLabel", wide: int = 420
) -> ttk.Label:
    """A text in as many lines as it takes. One written from right to left is drawn: Tk would put
    its lines in the wrong order."""
    label = ttk.Label(master, text=text, style=style, wraplength=theme.px(wide), justify="left")
    if isinstance(text, Seen):
        ink = Ink(theme.color("dim" if style.startswith("Dim") else "text"))
        drawn = Glyphs(theme).lines([(text.read, ink)], "body", theme.px(wide), "rtl")
        high = sum(image.height() for image, _text in drawn)
        whole = tk.PhotoImage(master=master, width=theme.px(wide), height=high)
        y = 0
        for image, _text in drawn:
            x = theme.px(wide) - image.width()
            whole.tk.call(whole, "copy", image, "-to", max(0, x), y)
            y += image.height()
        label.configure(image=whole)
        label.image = whole  # type: ignore[attr-defined] # Tk keeps no reference
    return label


def scrolled(master: tk.Misc, theme: Theme, most: int) -> ttk.Frame:
    """A frame to fill with few things, which scrolls where it would be higher than `most`."""
    outer = ttk.Frame(master)
    outer.pack(fill="both", expand=True)
    canvas = tk.Canvas(outer, highlightthickness=0, bd=0, background=theme.color("window"))
    bar = ttk.Scrollbar(outer, command=canvas.yview, takefocus=0)
    inner = ttk.Frame(canvas)
    canvas.create_window(0, 0, window=inner, anchor="nw")
    canvas.configure(yscrollcommand=bar.set, yscrollincrement=theme.px(12))
    canvas.pack(side="left", fill="both", expand=True)

    def fit(_event: object) -> None:
        wide, high = inner.winfo_reqwidth(), inner.winfo_reqheight()
        canvas.configure(width=wide, height=min(high, most), scrollregion=(0, 0, wide, high))
        if high > most:
            bar.pack(side="right", fill="y", padx=(theme.px(8), 0))

    def into_view(event: "tk.Event[tk.Misc]") -> None:
        if str(event.widget).startswith(str(inner)):
            top = event.widget.winfo_rooty() - inner.winfo_rooty()
            high = max(1, inner.winfo_reqheight())
            first, last = canvas.yview()
            if not first <= top / high <= last - event.widget.winfo_height() / high:
                canvas.yview_moveto(max(0.0, top / high - 0.2))

    inner.bind("<Configure>", fit)
    top = outer.winfo_toplevel()
    top.bind("<FocusIn>", into_view, add=True)
    on_wheel(
        lambda event, act: top.bind(event, act, add=True),
        lambda way: canvas.yview_scroll(3 * way, "units"), system=theme.windowing,
    )  # fmt: skip
    return inner


def _pressed(button: ttk.Button, _event: "tk.Event[tk.Misc]") -> str:
    button.invoke()
    return "break"


def ask(
    master: tk.Misc,
    theme: Theme,
    title: str,
    text: str,
    *,
    agree: str,
    cancel: str,
    done: Callable[[], None],
    danger: bool = False,
) -> Dialog:
    """Ask for an agreement; `done` is called with it."""
    dialog = Dialog(master, theme, title)
    dialog.heading(title)
    dialog.say(text)

    def agreed() -> None:
        dialog.destroy()
        done()

    dialog.button(agree, agreed, agree=True, danger=danger)
    dialog.button(cancel, dialog.destroy)
    dialog.open()
    return dialog


def ask_text(
    master: tk.Misc,
    theme: Theme,
    title: str,
    label: str,
    *,
    agree: str,
    cancel: str,
    done: Callable[[str], None],
    text: str = "",
    value: str = "",
) -> Dialog:
    """Ask for a line of text; `done` gets it, if it is not empty."""
    dialog = Dialog(master, theme, title)
    dialog.heading(title)
    if text:
        dialog.say(text, dim=True)
    held = dialog.field(label, value)

    def agreed() -> None:
        given = held.get().strip()
        if given:
            dialog.destroy()
            done(given)

    dialog.button(agree, agreed, agree=True)
    dialog.button(cancel, dialog.destroy)
    dialog.open()
    return dialog
