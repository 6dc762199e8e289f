"""The worker host: `python3 -m dirty_arbiter.worker`, started by an arbiter, loads Python apps and serves them."""
