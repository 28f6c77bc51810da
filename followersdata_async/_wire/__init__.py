"""The panel's language: requests to form fields, answers to values. Bytes and values only, no I/O."""
