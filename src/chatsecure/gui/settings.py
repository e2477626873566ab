"""The settings: look, letters, what notifications tell, sounds. Each holds at once."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from tkinter import ttk
from typing import TYPE_CHECKING

from chatsecure.words import _

from .dialogs import Dialog
from .looks import resolve
from .prefs import CHOICES, LARGEST_FONT, SMALLEST_FONT

if TYPE_CHECKING:
    from .window import Window

WORDS: dict[str, tuple[str, dict[str, str]]] = {
    "palette": (
        "Colours",
        {"system": "as the system", "light": "light", "dark": "dark", "contrast": "high contrast"},
    ),
    "notify": (
        "A notification tells",
        {
            "off": "there are none",
            "nothing": "only that there is something",
            "name": "who wrote",
            "text": "who wrote, and what",
        },
    ),
    "sound": ("A sound", {"on": "when somebody writes", "off": "never"}),
    "typing": ("That I am writing", {"on": "the others may see", "off": "nobody sees"}),
    "people": ("The people at the right", {"on": "shown", "off": "hidden"}),
}
"""Each setting in words, and each of its values."""


def show_settings(window: Window) -> Dialog:
    """Show the settings."""
    theme, session = window.theme, window.session
    dialog = Dialog(window.root, theme, _("Settings"))
    dialog.heading(_("Settings"))
    table = ttk.Frame(dialog.body)
    table.pack(fill="x")
    table.grid_columnconfigure(1, weight=1)
    for row, (name, values) in enumerate(CHOICES.items()):
        label, words = WORDS[name]
        ttk.Label(table, text=_(label)).grid(row=row, column=0, sticky="w", pady=theme.px(4))
        shown = [_(words[value]) for value in values]
        box = ttk.Combobox(table, values=shown, state="readonly", width=26)
        box.current(values.index(session.settings[name]))
        box.grid(row=row, column=1, sticky="ew", padx=(theme.px(16), 0), pady=theme.px(4))
        box.bind("<<ComboboxSelected>>", partial(_chosen, window, name, box))
        if row == 0:
            dialog.first = box
    row = len(CHOICES)
    ttk.Label(table, text=_("Size of the letters")).grid(row=row, column=0, sticky="w")
    size = tk.IntVar(dialog, theme.font_size)
    spin = ttk.Spinbox(
        table, from_=SMALLEST_FONT, to=LARGEST_FONT, textvariable=size, width=6,
        state="readonly", command=lambda: _letters(window, size.get()),
    )  # fmt: skip
    spin.grid(row=row, column=1, sticky="w", padx=(theme.px(16), 0), pady=theme.px(4))
    dialog.say(
        _("You are {name}. Your fingerprint: {fingerprint}").format(
            name=session.name, fingerprint=session.client.fingerprint
        ),
        dim=True,
    ).pack_configure(pady=(theme.px(14), 0))
    dialog.say(_("Server: {server}").format(server=session.client.server), dim=True)
    dialog.button(_("Close"), dialog.destroy, agree=True)
    dialog.open()
    return dialog


def _chosen(window: Window, name: str, box: ttk.Combobox, _event: object) -> None:
    value = CHOICES[name][box.current()]
    window.session.save_setting(name, value)
    effect = _EFFECTS.get(name)
    if effect is not None:
        effect(window, value)


def _letters(window: Window, size: int) -> None:
    window.theme.apply(font_size=size)
    window.session.save_setting("font_size", str(size))


def _palette(window: Window, value: str) -> None:
    window.theme.apply(resolve(value))


def _people(window: Window, value: str) -> None:
    if window.people_wanted != (value == "on"):
        window.toggle_people()


_EFFECTS: dict[str, Callable[[Window, str], None]] = {"palette": _palette, "people": _people}
