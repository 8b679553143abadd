"""The files behind the log kind `spool`.

A folder holds lanes: one for each process that appends, so that none waits for another. A lane is named by its log id
and is a row of segments, SQLite files named `{log id}-{first offset}.db`. A segment is written by one process, once;
when it is large or old enough a new one begins, and the whole file is removed once the lake holds all that is in it.
"""
