"""The tags of a history's text: margins of each kind of line, letters of each style.

Data for `paint`, which puts them on what it draws.
"""

import tkinter as tk
from typing import Any

from chatsecure.client import markup

from .theme import Theme

LEFT, AVATAR, GAP, RIGHT = 16, 36, 12, 28
CONTENT = LEFT + AVATAR + GAP
"""Where text begins, in pixels at scale 1."""


def style(text: tk.Text, theme: Theme, *, mirrored: bool = False) -> None:
    """Give the text's tags the theme's colours and fonts; later tags lie above earlier ones.

    Args:
        mirrored: lines begin at the right.
    """
    color, px, content = theme.color, theme.px, theme.px(CONTENT)
    text.configure(
        font=theme.font("body"), background=color("window"), foreground=color("text"),
        selectbackground=color("select"), selectforeground=color("on_select"),
        inactiveselectbackground=color("select"), insertwidth=0, tabs=(content,),
    )  # fmt: skip
    margins: dict[str, Any] = {"lmargin1": content, "lmargin2": content, "rmargin": px(RIGHT)}
    whole = {"lmargincolor", "rmargincolor", "background"}
    for name, ground in (("hover", "hover"), ("selected", "selected"), ("flash", "mention")):
        text.tag_configure(name, **dict.fromkeys(whole, color(ground)))
    text.tag_configure("body", spacing2=px(2), spacing3=px(3), **margins)
    text.tag_configure(
        "head", spacing1=px(10), lmargin1=px(LEFT), lmargin2=content, rmargin=px(RIGHT)
    )
    text.tag_configure(
        "reply", spacing3=px(2), font=theme.font("small"), foreground=color("dim"), **margins,
    )  # fmt: skip
    text.tag_configure("chips", spacing1=px(2), spacing3=px(4), **margins)
    text.tag_configure(
        "quote", foreground=color("dim"), spacing2=px(2), spacing3=px(2),
        lmargin1=content, lmargin2=content + px(14), rmargin=px(RIGHT),
    )  # fmt: skip
    for depth in range(markup.MAX_DEPTH + 1):
        indent = content + px(18 * depth)
        text.tag_configure(
            f"item{depth}", lmargin1=indent, lmargin2=indent + px(18), rmargin=px(RIGHT),
            spacing2=px(2), spacing3=px(2), tabs=(indent + px(18),),
        )  # fmt: skip
    text.tag_configure(
        "codeblock", font=theme.font("mono"), background=color("code"), wrap="char",
        foreground=color("on_code"), spacing1=px(1), spacing2=px(1),
            spacing3=px(1), lmargincolor=color("window"), rmargincolor=color("window"), **margins,
    )  # fmt: skip
    text.tag_configure("codepad", font=theme.font("tiny"))
    text.tag_configure("card", spacing1=px(3), spacing3=px(5), **margins)
    text.tag_configure(
        "rtl", justify="right", lmargin1=content, lmargin2=content, rmargin=px(RIGHT)
    )
    # The lower half of a sender's picture begins the line; the text stands where it always does.
    text.tag_configure(
        "first", lmargin1=px(LEFT), lmargin2=content, tabs=(content,), spacing1=0, spacing2=px(2),
        spacing3=px(3), rmargin=px(RIGHT),
    )  # fmt: skip
    text.tag_configure("cut", wrap="char")
    text.tag_configure(
        "mark", justify="center", font=theme.font("small-bold"), foreground=color("dim"),
        spacing1=px(14), spacing3=px(6),
    )  # fmt: skip
    text.tag_configure("new", foreground=color("new"))
    text.tag_configure(
        "notice", justify="center", font=theme.font("small"), foreground=color("dim"),
        spacing1=px(6), spacing3=px(4), lmargin1=px(40), lmargin2=px(40), rmargin=px(40),
    )  # fmt: skip
    text.tag_configure("warn", foreground=color("danger"), font=theme.font("small-bold"))
    text.tag_configure(
        "intro", spacing1=px(4), spacing3=px(4), lmargin1=px(LEFT), lmargin2=px(LEFT),
        rmargin=px(RIGHT), foreground=color("dim"),
    )  # fmt: skip
    text.tag_configure("heading", font=theme.font("heading"), foreground=color("text"))
    if mirrored:
        for name in ("body", "reply", "chips", "card", "rtl", "first"):
            text.tag_configure(name, justify="right", lmargin1=px(RIGHT), lmargin2=px(RIGHT),
                               rmargin=content)  # fmt: skip
        for name in ("head", "intro"):
            text.tag_configure(name, justify="right", lmargin1=px(RIGHT), lmargin2=px(RIGHT),
                               rmargin=px(LEFT))  # fmt: skip
    _letters(text, theme)
    text.tag_raise("sel")


def _letters(text: tk.Text, theme: Theme) -> None:
    color = theme.color
    for name in ("bold", "italic", "bold-italic"):
        text.tag_configure(name, font=theme.font(name))
    text.tag_configure("strike", overstrike=True)
    text.tag_configure(
        "code", font=theme.font("mono"), background=color("code"), foreground=color("on_code")
    )
    text.tag_configure("link", foreground=color("link"), underline=True)
    text.tag_configure("mention", font=theme.font("bold"), foreground=color("link"))
    text.tag_configure(
        "me", font=theme.font("bold"), background=color("mention"),
        foreground=color("on_mention"),
    )  # fmt: skip
    text.tag_configure("time", font=theme.font("tiny"), foreground=color("dim"))
    text.tag_configure("small", font=theme.font("tiny"), foreground=color("dim"))
    text.tag_configure("failed", font=theme.font("small-bold"), foreground=color("danger"))
    text.tag_configure("dim", foreground=color("dim"))
    text.tag_configure("private", font=theme.font("tiny-bold"), foreground=color("private"))
    for number in range(8):
        text.tag_configure(f"quoted-name{number}", font=theme.font("small-bold"),
                           foreground=color(f"name{number}"))  # fmt: skip
        text.tag_configure(f"name{number}", font=theme.font("bold"),
                           foreground=color(f"name{number}"))  # fmt: skip
    text.tag_configure("find", background=color("find"), foreground=color("on_find"))
