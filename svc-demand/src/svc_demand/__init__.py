"""Technology demands (nhu cầu công nghệ): from a draft to what was really needed, and its end."""
