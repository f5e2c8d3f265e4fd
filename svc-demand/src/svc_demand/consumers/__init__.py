"""Events in: none yet; the contracts that svc-matching reports as signed will end demands here."""
