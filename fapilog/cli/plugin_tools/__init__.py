"""What `fapilog plugins` works with: the catalogue, packages before they are installed, new ones, checks."""
