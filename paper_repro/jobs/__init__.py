"""Jobs: resumable units of work, the code that each one depends on, and the processes that run them."""
