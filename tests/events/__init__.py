"""Events on their way: sent, lost, broken, read again; on real servers."""
