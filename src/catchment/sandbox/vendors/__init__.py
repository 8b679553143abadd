"""One file for each vendor; its name is the path under which the vendor answers."""
