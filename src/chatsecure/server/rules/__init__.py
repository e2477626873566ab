"""What the server decides: each request as a function over one store transaction.

Pure but for the `Tx`: time and limits are parameters, so the simulation runs the same code. A rule
raises `Refused` and the store undoes what it wrote; it may be run again after a failed batch.
"""
