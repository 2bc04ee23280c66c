"""Training: rollouts, losses, the loop, checkpoints, several seeds."""
