"""The way to the daemon: requests, polling, exported lists."""
