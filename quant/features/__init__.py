"""Features and labels, computed panel-wise from what was known at each close."""
