"""Batch calls: ids to chunks, chunks to requests, and outcomes back to ids."""
