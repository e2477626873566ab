"""The command line: one module per group of commands, and the line client.

Imports stay lazy: `main`, `parser` and `commands` load nothing but argparse, a command loads what
it needs.
"""
