"""`chatsecure admin systemd`: a unit that gives the server no more than it needs."""

import shlex
import sys
from argparse import Namespace
from pathlib import Path

from chatsecure.links import parse_address
from chatsecure.wire.errors import Usage

from .output import Output

# Python needs no memory that is both written and run, and the server no capability: its port is
# above 1024.
UNIT = """\
# /etc/systemd/system/chatsecure.service
[Unit]
Description=ChatSecure server
Documentation=man:chatsecure(1)
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec=2
TimeoutStopSec=15
LimitNOFILE=65536
{folder}
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
"""


def systemd(args: Namespace, output: Output) -> int:
    """Print the unit."""
    data = getattr(args, "data", None)
    parse_address(args.listen)
    if data is None:
        # systemd makes the folder and the user.
        folder = "DynamicUser=yes\nStateDirectory=chatsecure\nStateDirectoryMode=0700"
        where = "/var/lib/chatsecure"
    else:
        where = str(Path(data).absolute())
        if any(sign in where for sign in ' \n"\\%'):
            raise Usage(f"{where!r} cannot stand in a unit", hint="choose a folder without blanks")
        folder = f"ReadWritePaths={where}\nUser=chatsecure\nGroup=chatsecure"
    unit = UNIT.format(command=f"{_program()} serve --data {where} --listen {args.listen}",
                       folder=folder)  # fmt: skip
    output.line(unit.rstrip("\n"))
    output.next(
        "chatsecure admin systemd | sudo tee /etc/systemd/system/chatsecure.service, "
        "then sudo systemctl enable --now chatsecure; the owner's link: journalctl -u chatsecure"
    )
    return 0


def _program() -> str:
    """How this program is started, with its whole path: a unit has no PATH of a person."""
    beside = Path(sys.executable).with_name("chatsecure")
    if beside.exists():
        return shlex.quote(str(beside))
    return f"{shlex.quote(sys.executable)} -m chatsecure"
