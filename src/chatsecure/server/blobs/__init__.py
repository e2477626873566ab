"""Where the ciphertext of files lies. `base.py` is the interface, `disk.py` a plain folder."""
