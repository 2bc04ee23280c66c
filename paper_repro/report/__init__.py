"""The report: one HTML page, and what the written tables must look like."""
