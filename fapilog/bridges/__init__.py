"""Other logging libraries come in here, one module each. None is imported before it is used."""
