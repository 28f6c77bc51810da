"""Fakes, servers and samples that several test modules share."""
