"""Tests of `chatsecure.crypto`."""
