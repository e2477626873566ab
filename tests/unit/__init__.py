"""Tests of single modules: no network, no disk but the test folder, no processes."""
