"""Industry-aware equity research and trading for the US and China."""
