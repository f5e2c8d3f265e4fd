"""Events in: none yet; an exclusive contract that svc-matching reports will end a supply here."""
