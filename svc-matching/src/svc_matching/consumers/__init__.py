"""Events in: parse, one use case; the inbox and the ack are `shared.outbox`'s."""
