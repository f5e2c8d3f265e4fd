"""What the gateway does itself: give tokens, combine answers, gather health."""
