"""Tests of `chatsecure.wire`."""
