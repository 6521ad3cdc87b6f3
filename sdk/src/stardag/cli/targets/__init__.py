"""`stardag targets`: what is in the target roots, and how it compares with what is recorded."""
