"""Two small drivers of the same sessions. `base.py` says what both offer.

events.py     one event loop for all connections (asyncio, uvloop where installed)
threads.py    each client is served by threads of its own on a blocking socket
"""
