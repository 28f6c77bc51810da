"""Polling orders until they are final."""
