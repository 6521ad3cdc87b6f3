"""What a command asks the service for: which ids, which rows, and how many of them."""
