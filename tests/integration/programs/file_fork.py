"""Logs to a file before and after a fork: argv is the path."""

import os
import sys

import fapilog

fapilog.configure_otel("fork", exporters=["file"], file={"path": sys.argv[1]})
log = fapilog.get_logger("fork")
log.info("before")
child = os.fork()
log.info("parent" if child else "child")
if child:
    os.waitpid(child, 0)
