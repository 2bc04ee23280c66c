"""The live page: one self-contained HTML file whose engine computes the exact chain in the browser."""
