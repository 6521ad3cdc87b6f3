"""The contract: code generated from `proto/stardag/v1`; see `make gen`."""
