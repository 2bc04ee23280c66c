"""Other uses of the outcomes of a group: no baseline, a virtual response, penalties."""
