"""Where accounts, logs and cursors lie. `base.py` is the interface, `sqlite.py` the default."""
