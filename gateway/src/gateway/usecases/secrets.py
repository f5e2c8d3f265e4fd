"""Client secrets: hashed with argon2 in threads, a few at a time."""

import asyncio
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.kernel.errors import UnavailableError

# OWASP's minimum for argon2id. Secrets are 192 random bits, and a hash costs 19 MiB and 20 ms.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
AT_A_TIME = 2
MAX_WAITING = 32


@dataclass(slots=True)
class SecretHasher:
    """Hashes and verifies without stopping the event loop and without eating the memory."""

    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_A_TIME))
    _waiting: int = 0
    _nobody: str = ""

    async def hash(self, secret: str) -> str:
        async with self._slots:
            return await asyncio.to_thread(_HASHER.hash, secret)

    async def verify(self, secret_hash: str | None, secret: str) -> bool:
        """Tell whether the secret fits; without a hash, take as long and say no."""
        if self._waiting >= MAX_WAITING:
            raise UnavailableError(
                "overloaded",
                "Too many token requests at once; try again shortly.",
                "Quá nhiều yêu cầu mã truy cập cùng lúc; hãy thử lại sau.",
                headers={"Retry-After": "1"},
            )
        self._waiting += 1
        try:
            async with self._slots:
                if not self._nobody:
                    self._nobody = await asyncio.to_thread(_HASHER.hash, "nobody")
                fits = await asyncio.to_thread(_fits, secret_hash or self._nobody, secret)
        finally:
            self._waiting -= 1
        return fits and secret_hash is not None


def _fits(secret_hash: str, secret: str) -> bool:
    try:
        return _HASHER.verify(secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return False
