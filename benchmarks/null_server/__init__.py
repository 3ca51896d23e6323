"""The server that exporters are measured against."""
