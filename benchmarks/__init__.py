"""Side by side, in one run, on the same server: this library and what a user would write instead."""
