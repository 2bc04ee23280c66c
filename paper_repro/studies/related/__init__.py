"""What the papers around this one claim, reproduced or refuted in miniature."""
