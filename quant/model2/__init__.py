"""Stock alphas: train, predict, calibrate."""
