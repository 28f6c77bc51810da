"""The schema's history. Each revision is a file; the last one is what ``tables`` describes."""
