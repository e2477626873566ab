"""What is done with a message, a file or a person: from a key, a click or a menu."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chatsecure.cli.human import size_text
from chatsecure.client.display import harmless, harmless_name
from chatsecure.client.history import HistoryLine
from chatsecure.client.lines import MemberLine
from chatsecure.client.settings import SETTINGS, Kind, Setting
from chatsecure.names import fold_name
from chatsecure.wire.errors import NotFound
from chatsecure.words import _, told

from . import entering
from .block import button_words, buttons, standing
from .lists import ROLES
from .screens import Choose, Line, Option, Safety

if TYPE_CHECKING:
    from .app import ChatApp

REACTIONS = ("👍", "❤️", "😂", "😮", "😢", "🎉", "✅")


def act(app: "ChatApp", what: str, value: Any) -> None:
    """Do something with a message; `value` is its line, its id, or its id and a reaction."""
    if what == "reaction":
        id_, emoji = value
        _toggle_reaction(app, id_, emoji)
        return
    line = value if isinstance(value, HistoryLine) else find(app, value)
    if line is None:
        return
    ACTS[what](app, line)


def find(app: "ChatApp", id_: str) -> HistoryLine | None:
    """The message with this id."""
    try:
        return app.client.delivery(id_)
    except NotFound as error:
        app.tell(told(error))
        return None


def _reply(app: "ChatApp", line: HistoryLine) -> None:
    if line.state != "deleted":
        entering.begin(app, "reply", line)


def _edit(app: "ChatApp", line: HistoryLine) -> None:
    if line.mine and not line.file and line.state != "deleted":
        entering.begin(app, "edit", line)
    else:
        app.notify(_("only texts of your own can be changed"), timeout=3)


def _delete(app: "ChatApp", line: HistoryLine) -> None:
    if not line.mine:
        app.notify(_("only what is your own can be taken back"), timeout=3)
        return

    def sure(yes: bool | None) -> None:
        if yes:
            app.safely(lambda: app.client.delete(line.id))
            app.ears.soon(history=True)

    options: list[Option] = [("y", _("take it back"), True), ("n", _("keep it"), None)]
    text = " ".join(harmless(line.text, lines=False).split())[:200]
    app.push_screen(Choose(_("Take this back for everyone?"), options, _p(app), text), sure)


def _react(app: "ChatApp", line: HistoryLine) -> None:
    options: list[Option] = [
        (str(number), emoji, emoji) for number, emoji in enumerate(REACTIONS, 1)
    ]
    options.append(("o", _("another one"), "other"))

    def chosen(emoji: str | None) -> None:
        if emoji == "other":
            title = _("React with an emoji or a short word")
            app.push_screen(Line(title, _("emoji or word")), typed)
        elif emoji is not None:
            _toggle_reaction(app, line.id, emoji)

    def typed(emoji: str | None) -> None:
        if emoji:
            _toggle_reaction(app, line.id, emoji.strip())

    app.push_screen(Choose(_("React"), options, _p(app)), chosen)


def _toggle_reaction(app: "ChatApp", id_: str, emoji: str) -> None:
    line = find(app, id_)
    if line is not None:
        ours = app.client.name in (line.reactions or {}).get(emoji, [])
        app.safely(lambda: app.client.react(id_, "" if ours else emoji))
        app.ears.soon(history=True)


def _copy(app: "ChatApp", line: HistoryLine) -> None:
    app.copy_to_clipboard(harmless(line.text))
    app.notify(_("copied"), timeout=2)


def _info(app: "ChatApp", line: HistoryLine) -> None:
    rows = [line.at.replace("T", " ").replace("Z", " UTC"), line.id]
    if line.mine:
        rows.append(standing(line))
        for person in app.client.reach(line.id):
            words = (
                _("read") if person.read else _("delivered") if person.delivered else _("not yet")
            )
            if person.received:
                words = _("has the whole file")
            rows.append(f"{harmless_name(person.name)}: {words}")
    if line.path:
        rows.append(harmless(line.path, lines=False))
    options: list[Option] = [("q", _("back"), None)]
    app.push_screen(Choose(_("About this message"), options, _p(app), "\n".join(rows)))


def _jump(app: "ChatApp", line: HistoryLine) -> None:
    if line.conversation == app.target:
        app.history.to(line.n, select=line.id)
    else:
        app.open(line.conversation, at=line.n, select=line.id)


def _origin(app: "ChatApp", line: HistoryLine) -> None:
    if line.reply_to is not None and (found := find(app, line.reply_to)) is not None:
        _jump(app, found)


def _file(app: "ChatApp", line: HistoryLine, what: str) -> None:
    if what not in buttons(line):
        return
    calls: dict[str, Callable[[str], Any]] = {
        "accept": app.client.accept_file,
        "decline": app.client.decline_file,
        "cancel": app.client.cancel_file,
    }
    app.safely(lambda: calls[what](line.id))
    app.ears.soon(history=True)


def _menu(app: "ChatApp", line: HistoryLine) -> None:
    options: list[Option] = [
        (key, button_words(what), what)
        for key, what in (("a", "accept"), ("n", "decline"), ("x", "cancel"))
        if line.file and what in buttons(line)
    ]
    if line.state != "deleted":
        options += [("r", _("reply"), "reply"), ("+", _("react"), "react")]
        if line.mine and not line.file:
            options.append(("e", _("change it"), "edit"))
        if line.mine:
            options.append(("d", _("take it back"), "delete"))
        options.append(("c", _("copy its text"), "copy"))
    if line.reply_to:
        options.append(("g", _("go to what it answers"), "origin"))
    options.append(("i", _("who has it"), "info"))

    def chosen(what: str | None) -> None:
        if what is not None:
            act(app, what, line)

    app.push_screen(Choose(_("This message"), options, _p(app)), chosen)


ACTS: "dict[str, Callable[[ChatApp, HistoryLine], None]]" = {
    "reply": _reply,
    "edit": _edit,
    "delete": _delete,
    "react": _react,
    "copy": _copy,
    "info": _info,
    "jump": _jump,
    "origin": _origin,
    "menu": _menu,
    "accept": lambda app, line: _file(app, line, "accept"),
    "decline": lambda app, line: _file(app, line, "decline"),
    "cancel": lambda app, line: _file(app, line, "cancel"),
}


def _p(app: "ChatApp") -> Callable[[], Any]:
    return lambda: app.palette


# --- people and trust ------------------------------------------------------------------------


def person(app: "ChatApp", name: str) -> None:
    """What can be done with somebody."""
    shown = harmless_name(name)
    member = next((one for one in app.members if one.name == name), None)
    if fold_name(name) == fold_name(app.client.name):
        options: list[Option] = [("s", _("settings"), "settings")]
    else:
        options = [
            ("w", _("write to {name} in private").format(name=shown), "write"),
            ("v", _("compare safety numbers"), "verify"),
        ]
        if not app.target.startswith("@"):
            options.append(("m", _("mention them here"), "mention"))

    def chosen(what: str | None) -> None:
        match what:
            case "write":
                app.do(app.go("@" + name))
            case "verify":
                safety(app, name)
            case "mention":
                app.composer.take(f"@{name} ")
            case "settings":
                app.action_settings()

    app.push_screen(Choose(shown, options, _p(app), _about(member)), chosen)


def _about(member: MemberLine | None) -> str:
    if member is None:
        return ""
    parts = [_(ROLES.get(member.role, member.role))]
    parts.append(_("here") if member.online else _("not here"))
    if member.away:
        parts.append(_("away: {why}").format(why=harmless(member.away, lines=False)))
    if not member.me:
        parts.append(_("compared") if member.verified else _("not compared"))
    return ", ".join(parts)


def safety(app: "ChatApp", user: str) -> None:
    """Show the safety number with a user, and do what is decided."""

    async def show() -> None:
        found = await app.client.verify(user)
        app.push_screen(Safety(found), lambda what: decided(what, found.user))

    def decided(what: str | None, name: str) -> None:
        if what is not None:
            app.do(decide(what, name))

    async def decide(what: str, name: str) -> None:
        if what == "mark":
            await app.client.mark_verified(name)
            app.tell(_("{name}: compared").format(name=harmless_name(name)))
        else:
            await app.client.accept_identity(name)
            app.tell(_("the new identity of {name} is accepted").format(name=harmless_name(name)))
        app.ears.decided(name)

    app.do(show())


# --- settings --------------------------------------------------------------------------------


def settings(app: "ChatApp") -> None:
    """The settings of the table, and what of this conversation is worth a notification."""
    name = harmless_name(app.target)
    options: list[Option] = [
        (" ", f"{setting.shown}: {_value(app, setting)}", setting) for setting in SETTINGS
    ]
    level = app.client.notify(app.target)
    options.append((" ", _("{name}: notify of {level}").format(name=name, level=level), "notify"))

    def chosen(what: Setting | str | None) -> None:
        if what == "notify":
            _ask(app, name, ("all", "mentions", "nothing"), _notify)
        elif isinstance(what, Setting):
            _set(app, what)

    def _notify(value: str) -> None:
        app.safely(lambda: app.client.notify(app.target, value))

    app.push_screen(Choose(_("Settings"), options, _p(app)), chosen)


def _value(app: "ChatApp", setting: Setting) -> str:
    value = app.client.setting(setting.name) or ""
    if setting.kind is Kind.SIZE:
        value = size_text(int(value))
    return harmless(value, lines=False) or "-"


def _set(app: "ChatApp", setting: Setting) -> None:
    def take(value: str) -> None:
        app.safely(lambda: app.client.setting(setting.name, "" if value == "-" else value))
        app.restyle()
        settings(app)

    if setting.kind in (Kind.SWITCH, Kind.CHOICE):
        _ask(app, _(setting.help), setting.choices or ("yes", "no"), take)
        return

    def typed(value: str | None) -> None:
        if value is not None:
            take(value)

    app.push_screen(Line(setting.shown, _(setting.help), _value(app, setting)), typed)


def _ask(app: "ChatApp", title: str, values: Sequence[str], take: Callable[[str], None]) -> None:
    options: list[Option] = [(str(at), value, value) for at, value in enumerate(values, 1)]

    def chosen(value: str | None) -> None:
        if value is not None:
            take(value)

    app.push_screen(Choose(title, options, _p(app)), chosen)
