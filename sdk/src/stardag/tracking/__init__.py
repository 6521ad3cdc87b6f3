"""How what happens in a build leaves it.

The building process appends events to a spool on disk and does nothing else; a
process of its own, the sender, brings them to the server and to OpenTelemetry.
"""

import logging

from stardag.tracking.tracker import Tracker, open_tracker

__all__ = ["Tracker", "open_tracker"]

# what is worth saying is said by notices and reports; the log is for whoever sets one up
logging.getLogger(__name__).addHandler(logging.NullHandler())
