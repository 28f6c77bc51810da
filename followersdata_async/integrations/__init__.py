"""Adapters to what users build with; each is imported by its name, and has an extra of that name."""
