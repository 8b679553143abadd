"""The ends of the log kind `kafka`: a producer that waits for every replica, and partitions to read."""
