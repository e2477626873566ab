"""The window: a face in Tkinter and ttk. It holds no chat logic; that is `client`'s.

`tkinter` is imported by this package's modules only, so that a system without it can still use
every other face.
"""
