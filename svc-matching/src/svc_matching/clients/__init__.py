"""Outside services: embedders, if one is configured."""
