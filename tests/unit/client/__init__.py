"""Tests of the pure parts of `chatsecure.client`."""
