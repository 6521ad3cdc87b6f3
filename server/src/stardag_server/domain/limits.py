"""The limits of the contract that the server enforces."""

MAX_MESSAGE_BYTES = 4 << 20
MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 1 << 20
MAX_UNACKED_EVENTS = 100_000
MAX_LISTED_REJECTIONS = 100

MAX_NAME = 255
MAX_VERSION = 64
MAX_JSON_BYTES = 256 << 10
MAX_JSON_DEPTH = 64
MAX_IDS = 10_000
MAX_URI = 2_048
MAX_TEXT = 4 << 10
MAX_STACK_TRACE = 32 << 10
MAX_PROGRESS_MESSAGE = 1 << 10
MAX_LABELS = 32
MAX_LABEL_KEY = 63
MAX_LABEL_VALUE = 255
MAX_TRACE_PARENT = 55
MAX_COMMIT_HASH = 64
MAX_FINGERPRINT = 64
MAX_ASSET_BYTES = 64 << 20
MAX_ASSET_DESCRIPTION = 1_024

MAX_PART_ITEMS = 1_000
"""Most items in a page or in a message of a stream."""
MAX_PART_BYTES = 900 << 10
"""Bytes at which a page or a message of a stream is full; one item may pass it."""

MAX_INT64 = (1 << 63) - 1
MAX_TIME_US = 253_402_300_799_999_999
"""The end of the year 9999, the last that google.protobuf.Timestamp can say."""

LATE_EVENTS_US = 300 * 1_000_000
"""How long after its end was committed a build takes late events."""
