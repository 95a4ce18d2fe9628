"""How fast millstream is, beside librdkafka copying bytes and beside what users run instead.

`bench/run.sh` starts a broker and calls it; docs/benchmark.md is what it writes.
"""
