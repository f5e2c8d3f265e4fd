"""The HTTP edge that all services share: one app factory, one error shape, one way to page."""
