"""Headless Chromium for the tests of pages; without it these tests are skipped."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
IN_BROWSER = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs an installed Chromium (Debian: apt-get install chromium)"),
    pytest.mark.slow,
]
"""Marks of a module whose tests need it."""

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
"""Options that keep it from asking for anything by itself."""
