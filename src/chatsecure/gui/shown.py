"""Foreign text on its way into a label, a title or a list: harmless, and fit for Tk on X11."""

from chatsecure.client.display import harmless, harmless_name, user_name
from chatsecure.words import sentence as translated

from .glyphs import fit_for_tk


def name(text: str) -> str:
    """The name of a user, a room or a file."""
    return fit_for_tk(harmless_name(text))


def line(text: str, most: int = 200) -> str:
    """A text as one line of at most so many characters."""
    return fit_for_tk(harmless(text[: most * 4], lines=False).strip()[:most])


def sentence(text: str | None, most: int = 200) -> str:
    """What an error or a server said, in the person's language, as one line."""
    return fit_for_tk(harmless(translated((text or "")[: most * 4]), lines=False).strip()[:most])


def words(text: str, most: int = 160) -> str:
    """A text as one line for a list, which draws by itself what Tk cannot."""
    return harmless(text[: most * 4], lines=False).strip()[:most]


def who(conversation: str) -> str:
    """`target` for a list."""
    return user_name(conversation).removeprefix("@")


def target(conversation: str) -> str:
    """A conversation as people know it: `#room`, or a person's name."""
    return fit_for_tk(who(conversation))
