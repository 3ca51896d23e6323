"""Keys of the spool: what gives them, what they are, and how they change while the process runs."""
