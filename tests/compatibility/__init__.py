"""What programs written for the published releases find here: their ids, their paths, their API."""
