"""Side-by-side measurements of fapilog and its peers; see README.md."""
