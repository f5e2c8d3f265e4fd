"""Who may read matches, what a diagnosis means, and how numbers are put into words. No I/O."""
