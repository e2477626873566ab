"""Drops files on what stands at a place of the screen, as a file manager does (XDND version 5).

    python drag_source.py X Y FILE...

Speaks to the X server by its own library, so that nothing of Tk is on this side. Ends well once the
other side has said that it took the files.
"""

import ctypes
import ctypes.util
import sys
from ctypes import POINTER, Structure, Union, byref, c_char_p, c_int, c_long, c_ulong, c_void_p
from pathlib import Path

COMMON = [("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p)]
CLIENT_MESSAGE, SELECTION_NOTIFY, SELECTION_REQUEST = 33, 31, 30
VERSION = 5
CURRENT_TIME = 0


class ClientMessage(Structure):
    _fields_ = [
        *COMMON, ("window", c_ulong), ("message_type", c_ulong), ("format", c_int),
        ("data", c_long * 5),
    ]  # fmt: skip


class SelectionRequest(Structure):
    _fields_ = [
        *COMMON, ("owner", c_ulong), ("requestor", c_ulong), ("selection", c_ulong),
        ("target", c_ulong), ("property", c_ulong), ("time", c_ulong),
    ]  # fmt: skip


class SelectionNotify(Structure):
    _fields_ = [
        *COMMON, ("requestor", c_ulong), ("selection", c_ulong), ("target", c_ulong),
        ("property", c_ulong), ("time", c_ulong),
    ]  # fmt: skip


class Event(Union):
    _fields_ = [
        ("type", c_int), ("message", ClientMessage), ("request", SelectionRequest),
        ("notify", SelectionNotify), ("pad", c_long * 24),
    ]  # fmt: skip


class Source:
    """The window the files come from."""

    def __init__(self) -> None:
        self.x = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
        self.x.XOpenDisplay.restype = c_void_p
        for name in ("XDefaultRootWindow", "XCreateSimpleWindow", "XInternAtom"):
            getattr(self.x, name).restype = c_ulong
        self.display = c_void_p(self.x.XOpenDisplay(None))
        assert self.display, "no display"
        self.root = c_ulong(self.x.XDefaultRootWindow(self.display))
        self.window = c_ulong(
            self.x.XCreateSimpleWindow(
                self.display, self.root, 0, 0, 1, 1, 0, c_ulong(0), c_ulong(0)
            )
        )

    def atom(self, name: str) -> int:
        return int(self.x.XInternAtom(self.display, c_char_p(name.encode()), 0))

    def has(self, window: int, name: str) -> bool:
        """Whether a window has a property."""
        count, many = c_int(), POINTER(c_ulong)()
        self.x.XListProperties.restype = POINTER(c_ulong)
        many = self.x.XListProperties(self.display, c_ulong(window), byref(count))
        return self.atom(name) in [many[at] for at in range(count.value)]

    def under(self, x: int, y: int) -> int:
        """The window at a place that takes drops."""
        window, child = self.root.value, c_ulong()
        here = c_int(), c_int()
        while True:
            self.x.XTranslateCoordinates(
                self.display, self.root, c_ulong(window), x, y, byref(here[0]), byref(here[1]),
                byref(child),
            )  # fmt: skip
            if self.has(window, "XdndAware"):
                return int(window)
            assert child.value, "nothing there takes drops"
            window = child.value

    def tell(self, target: int, name: str, *data: int) -> None:
        event = Event()
        event.message.type = CLIENT_MESSAGE
        event.message.window = target
        event.message.message_type = self.atom(name)
        event.message.format = 32
        event.message.data = (c_long * 5)(self.window.value, *data, *(0,) * (4 - len(data)))
        self.x.XSendEvent(self.display, c_ulong(target), 0, c_long(0), byref(event))
        self.x.XFlush(self.display)

    def wait(self, name: str, addresses: bytes) -> ClientMessage:
        """Until the other side says something; what it asks for meanwhile is given to it."""
        event = Event()
        while True:
            self.x.XNextEvent(self.display, byref(event))
            if event.type == SELECTION_REQUEST:
                self._give(event.request, addresses)
            if event.type == CLIENT_MESSAGE and event.message.message_type == self.atom(name):
                return event.message

    def _give(self, asked: SelectionRequest, addresses: bytes) -> None:
        self.x.XChangeProperty(
            self.display, c_ulong(asked.requestor), c_ulong(asked.property), c_ulong(asked.target),
            8, 0, c_char_p(addresses), len(addresses),
        )  # fmt: skip
        answer = Event()
        answer.notify.type = SELECTION_NOTIFY
        for name in ("requestor", "selection", "target", "property", "time"):
            setattr(answer.notify, name, getattr(asked, name))
        self.x.XSendEvent(self.display, c_ulong(asked.requestor), 0, c_long(0), byref(answer))
        self.x.XFlush(self.display)


def main() -> int:
    x, y, *names = sys.argv[1:]
    addresses = "".join(f"{Path(name).as_uri()}\r\n" for name in names).encode()
    source = Source()
    kind, copy = source.atom("text/uri-list"), source.atom("XdndActionCopy")
    source.x.XSetSelectionOwner(
        source.display, c_ulong(source.atom("XdndSelection")), source.window, c_ulong(CURRENT_TIME)
    )
    target = source.under(int(x), int(y))
    source.tell(target, "XdndEnter", VERSION << 24, kind)
    accepted = False
    for shift in range(20):
        place = (int(x) + shift) << 16 | int(y)
        source.tell(target, "XdndPosition", 0, place, CURRENT_TIME, copy)
        accepted = bool(source.wait("XdndStatus", addresses).data[1] & 1)
        if accepted:
            break
    if not accepted:
        source.tell(target, "XdndLeave")
        return 1
    source.tell(target, "XdndDrop", 0, CURRENT_TIME)
    source.wait("XdndFinished", addresses)
    return 0


if __name__ == "__main__":
    sys.exit(main())
