"""The page on which systems are compared."""
