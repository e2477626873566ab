"""The settings, drawn from the table that all faces share. Each holds at once."""

from __future__ import annotations

import tkinter as tk
from functools import partial
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING

from chatsecure.cli.human import size_text
from chatsecure.client import settings
from chatsecure.client.settings import Kind, Setting
from chatsecure.wire.errors import ChatSecureError
from chatsecure.words import _n, told

from .dialogs import Dialog, scrolled
from .fields import guard_entry
from .wording import _, seen

if TYPE_CHECKING:
    from .window import Window


_NAMES = {
    "downloads": _n("Downloads"), "auto_save_limit": _n("Fetch files up to"),
    "ask_first": _n("Ask before fetching"), "read_receipts": _n("Read receipts"),
    "typing": _n("Typing"), "notifications": _n("Notifications"),
    "notification_text": _n("Notification text"), "bell": _n("Bell"), "theme": _n("Look"),
    "font_size": _n("Letters"), "presence": _n("Presence"), "find_server": _n("Find the server"),
    "language": _n("Language"),
}  # fmt: skip
"""What settings are called here; as a command they are typed by their own names."""
_CHOICES = {
    "all": _n("every message"), "mentions": _n("mentions"), "nothing": _n("nothing"),
    "name": _n("who wrote"), "text": _n("the text"), "auto": _n("automatic"),
    "light": _n("light"), "dark": _n("dark"), "contrast": _n("high contrast"), "yes": _n("yes"),
    "no": _n("no"),
}  # fmt: skip


def show_settings(window: Window) -> Dialog:
    """Show the settings."""
    theme, session = window.theme, window.session
    dialog = Dialog(window.root, theme, _("Settings"))
    dialog.heading(_("Settings"))
    table = scrolled(dialog.body, theme, min(theme.px(430), window.root.winfo_screenheight() // 2))
    table.grid_columnconfigure(0, weight=1)
    wrong = ttk.Label(dialog.body, style="Error.TLabel")
    for row, setting in enumerate(settings.SETTINGS):
        words = ttk.Frame(table)
        called = _(_NAMES[setting.name]) if setting.name in _NAMES else setting.shown.capitalize()
        label = ttk.Label(words, text=called, style="Bold.TLabel")
        label.pack(anchor="w")
        ttk.Label(words, text=_(setting.help), style="Small.TLabel", wraplength=theme.px(300)).pack(
            anchor="w"
        )
        words.grid(row=row, column=0, sticky="w", pady=theme.px(3))
        field = _FIELDS[setting.kind](window, table, setting, wrong)
        field.grid(row=row, column=1, sticky="e", padx=(theme.px(24), 0))
        if row == 0:
            dialog.first = field
    dialog.say(
        _("You are {name}. Your fingerprint: {fingerprint}").format(
            name=session.name, fingerprint=session.client.fingerprint
        ),
        dim=True,
    ).pack_configure(pady=(theme.px(10), 0))
    dialog.say(_("Server: {server}").format(server=session.client.server), dim=True)
    wrong.pack(anchor="w")
    dialog.button(_("Close"), dialog.destroy, agree=True)
    dialog.open()
    return dialog


def _save(window: Window, setting: Setting, wrong: ttk.Label, value: str) -> None:
    session = window.session

    def done(_value: object) -> None:
        if wrong.winfo_exists():
            wrong.configure(text="")
        window.settings_changed()

    def failed(error: ChatSecureError) -> None:
        if wrong.winfo_exists():
            wrong.configure(text=seen(told(error)))

    session.bridge.call(partial(session.set, setting.name, value), done, failed)


def _switch(window: Window, master: tk.Misc, setting: Setting, wrong: ttk.Label) -> ttk.Widget:
    on = tk.BooleanVar(master, window.session.settings[setting.name] == "yes")
    box = ttk.Checkbutton(
        master, variable=on,
        command=lambda: _save(window, setting, wrong, "yes" if on.get() else "no"),
    )  # fmt: skip
    box.on = on  # type: ignore[attr-defined] # Tk keeps no reference
    box.bind("<Return>", lambda _event: box.invoke())
    return box


def _choice(window: Window, master: tk.Misc, setting: Setting, wrong: ttk.Label) -> ttk.Widget:
    box = ttk.Combobox(
        master,
        values=[_(_CHOICES.get(one, one)) for one in setting.choices],
        state="readonly",
        width=16,
    )
    box.current(setting.choices.index(window.session.settings[setting.name]))
    box.bind(
        "<<ComboboxSelected>>",
        lambda _event: _save(window, setting, wrong, setting.choices[box.current()]),
    )
    return box


def _text(window: Window, master: tk.Misc, setting: Setting, wrong: ttk.Label) -> ttk.Widget:
    entry = ttk.Entry(master, width=12)
    guard_entry(entry)
    value = window.session.settings[setting.name]
    entry.insert(0, size_text(int(value)) if setting.kind is Kind.SIZE else value)
    for event in ("<Return>", "<FocusOut>"):
        entry.bind(event, lambda _event: _save(window, setting, wrong, entry.get()))
    return entry


def _number(window: Window, master: tk.Misc, setting: Setting, wrong: ttk.Label) -> ttk.Widget:
    value = tk.StringVar(master, window.session.settings[setting.name])
    spin = ttk.Spinbox(
        master, from_=setting.least, to=setting.most, increment=10, textvariable=value, width=6,
        command=lambda: _save(window, setting, wrong, value.get()),
    )  # fmt: skip
    spin.value = value  # type: ignore[attr-defined] # Tk keeps no reference
    for event in ("<Return>", "<FocusOut>"):
        spin.bind(event, lambda _event: _save(window, setting, wrong, value.get()))
    return spin


def _folder(window: Window, master: tk.Misc, setting: Setting, wrong: ttk.Label) -> ttk.Widget:
    def choose() -> None:
        found = filedialog.askdirectory(parent=master, mustexist=True)
        if found:
            button.configure(text=_short(found))
            _save(window, setting, wrong, found)

    shown = _short(window.session.settings[setting.name]) or _("Choose…")
    button = ttk.Button(master, text=shown, command=choose)
    return button


def _short(folder: str) -> str:
    return folder if len(folder) < 28 else "…" + folder[-26:]


_FIELDS = {
    Kind.SWITCH: _switch,
    Kind.CHOICE: _choice,
    Kind.SIZE: _text,
    Kind.NUMBER: _number,
    Kind.FOLDER: _folder,
    Kind.WORD: _text,
}
