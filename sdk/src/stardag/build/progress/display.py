"""The one display of a process."""

from __future__ import annotations

import threading

DISPLAY = threading.Lock()
"""Held for the build that is shown, and for good in a process that works for another."""
