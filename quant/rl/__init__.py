"""The RL controller: it turns the optimizer's six knobs within their bounds, and nothing else."""
