"""Several service processes, Kafka with several partitions, two Collectors, one destination.

    python -m examples.scale_out

starts all of it on this machine, kills the broker and a Collector on the way, and counts what arrived.
It takes the servers that this repository's tests use: Java 21, Maven and Go must be there.
How and why: `docs/how-to/scale_out.md`.
"""
