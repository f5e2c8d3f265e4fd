"""`make bench-matching`: the engine by itself, beside its peers, on made-up documents."""
