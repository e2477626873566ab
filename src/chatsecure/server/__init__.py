"""The server: stores and forwards what it cannot read.

    core.py       what the server decides and who is told (no sockets, no threads, no clock)
    rules/        each decision as a function over one store transaction
    session.py    one connection's state machine
    hub.py        who is online, who reads which log
    store/        logs, accounts, cursors on disk
    engines/      two small drivers of the same sessions: an event loop, or a thread a client

It imports `wire`, `names`, `links` and the checking half of `crypto`, and nothing of the client.
"""
