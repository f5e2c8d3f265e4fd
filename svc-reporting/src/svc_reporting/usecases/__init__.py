"""One function a verb. What an event changes is committed by the consumer, with its inbox row."""
