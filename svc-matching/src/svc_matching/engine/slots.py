"""Small numbers for ids, given back and used again, so that arrays stay dense."""

from uuid import UUID


class Slots:
    """Id ↔ slot."""

    def __init__(self) -> None:
        self._slots: dict[UUID, int] = {}
        self._ids: list[UUID | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, found: UUID) -> bool:
        return found in self._slots

    @property
    def size(self) -> int:
        """One more than the largest slot ever given out."""
        return len(self._ids)

    def ids(self) -> list[UUID]:
        return list(self._slots)

    def get(self, found: UUID) -> int | None:
        return self._slots.get(found)

    def take(self, found: UUID) -> int:
        """Return the id's slot, giving it one when it has none."""
        slot = self._slots.get(found)
        if slot is None:
            if self._free:
                slot = self._free.pop()
                self._ids[slot] = found
            else:
                slot = len(self._ids)
                self._ids.append(found)
            self._slots[found] = slot
        return slot

    def give_back(self, found: UUID) -> int:
        slot = self._slots.pop(found)
        self._ids[slot] = None
        self._free.append(slot)
        return slot

    def id_of(self, slot: int) -> UUID:
        found = self._ids[slot]
        if found is None:
            raise KeyError(slot)
        return found
