"""The /commands about people, trust, settings and the program itself."""

from chatsecure import words
from chatsecure.client import settings
from chatsecure.client.display import harmless, harmless_name, user_name
from chatsecure.wire.errors import Usage
from chatsecure.words import _, _n

from .doing_rooms import Rooms
from .human import clock, size_text
from .people import user_marks
from .slash import BY_NAME, help_lines

WHY = (
    _n("No. What you write and the files you send are encrypted on your device (MLS, RFC 9420)"),
    _n("and decrypted on those of the people in the conversation. The server stores and forwards"),
    _n("ciphertext; it sees who is connected, who shares a conversation, when and how much."),
    _n("`chatsecure demo` searches a server for what was said. To be sure of whom you talk to,"),
    _n("compare numbers: /verify bob."),
)


class More(Rooms):
    """People, trust, settings, help."""

    async def do_users(self, _arguments: tuple[str, ...]) -> None:
        found = await self.client.users()
        names = [user.name for user in found]
        for user in found:
            marks = user_marks(user, names)
            state = _("online") if user.online else _("offline")
            if user.away:
                state = _("away: {why}").format(why=harmless(user.away, lines=False))
            self._show(", ".join([user_name(user.name), state, *marks]))

    async def do_verify(self, arguments: tuple[str, ...]) -> None:
        user, what = arguments[0], arguments[1] if len(arguments) > 1 else ""
        if what == "accept":
            await self.client.accept_identity(user)
        elif what == "mark":
            await self.client.mark_verified(user)
        elif what:
            raise Usage(_("what is {word}?").format(word=what), hint=BY_NAME["verify"].usage)
        found = await self.client.verify(user)
        self._show(found.safety_number)
        state = _("compared") if found.verified else _("not compared yet")
        if found.changed:
            state = _("CHANGED: compare before you go on, then /verify {user} accept").format(
                user=harmless_name(found.user)
            )
        self._show(
            _("with {user}: {state}; fingerprint {fingerprint}").format(
                user=harmless_name(found.user), state=state, fingerprint=found.fingerprint
            )
        )

    async def do_devices(self, _arguments: tuple[str, ...]) -> None:
        for device in await self.client.devices():
            seen = _("online")
            if device.last_seen:
                seen = _("last seen {when}").format(when=clock(device.last_seen))
            this = ", " + _("this device") if device.this else ""
            self._show(f"{device.device_id}, {seen}{this}")

    async def do_away(self, arguments: tuple[str, ...]) -> None:
        self.client.set_away(arguments[0] if arguments else "")
        self._show(_("others see that you are away; /back says that you are here again"))

    async def do_back(self, _arguments: tuple[str, ...]) -> None:
        self.client.set_away(None)
        self._show(_("others see that you are here again"))

    async def do_nick(self, _arguments: tuple[str, ...]) -> None:
        self._show(
            _("you are {name}: a name stays bound to its keys, so that nobody can take it").format(
                name=self.client.name
            )
        )

    async def do_settings(self, arguments: tuple[str, ...]) -> None:
        if not arguments:
            for setting in settings.SETTINGS:
                self._show(self._set(setting))
            self._show(_("/settings NAME VALUE changes one, as: /settings typing no"))
            return
        setting, value = _setting(arguments[0])
        if value:
            self.client.setting(setting.name, "" if value == "-" else value)
            words.choose(self.client.setting("language") or "")
        self._show(self._set(setting))
        self._show(_("it takes: {values}").format(values=takes(setting)))

    def _set(self, setting: settings.Setting) -> str:
        """A setting, what it is now and what it is for."""
        value = self.client.setting(setting.name) or ""
        if setting.kind is settings.Kind.SIZE:
            value = size_text(int(value))
        shown = harmless(value, lines=False) or _("not set")
        return f"{setting.shown}: {shown}  ({_(setting.help)})"

    async def do_why(self, _arguments: tuple[str, ...]) -> None:
        for line in WHY:
            self._show(_(line))

    async def do_help(self, arguments: tuple[str, ...]) -> None:
        for line in help_lines(arguments[0] if arguments else None):
            self._show(line)


def takes(setting: settings.Setting) -> str:
    """What a setting can be."""
    match setting.kind:
        case settings.Kind.CHOICE:
            return ", ".join(setting.choices)
        case settings.Kind.SWITCH:
            return "yes, no"
        case settings.Kind.NUMBER:
            return _("a number from {least} to {most}").format(
                least=setting.least, most=setting.most
            )
        case settings.Kind.SIZE:
            return _("a size, such as 20 MB")
        case settings.Kind.FOLDER:
            return _("a folder, or - for the profile's own")
        case _:
            return _("a word, or - for none")


def _setting(typed: str) -> tuple[settings.Setting, str]:
    """The setting that a line begins with (its name may have blanks), and the rest."""
    words = typed.split()
    for count in range(min(3, len(words)), 0, -1):
        name = settings.plain(" ".join(words[:count]))
        if name in settings.BY_NAME:
            return settings.BY_NAME[name], typed.split(None, count)[count] if words[count:] else ""
    return settings.find(words[0]), ""
