"""How stored analyses are made, and the mark by which one is known to be out of date."""

from collections.abc import Iterable

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile
from svc_matching.engine.analysers import ANALYSER_VERSION
from svc_matching.engine.in_use import reading_with
from svc_matching.engine.views import pack, views_of
from svc_matching.engine.vocabulary import Vocabulary, load_vocabulary


def analyser() -> str:
    """Return what a stored analysis is marked with: another mark means that it is made anew.

    What curators have accepted is no part of it: that is the same for all analyses of an epoch.
    """
    return f"{ANALYSER_VERSION}-{load_vocabulary().version}"


def analysed_with(
    vocabulary: Vocabulary, profiles: Iterable[DemandProfile | SupplyProfile]
) -> list[bytes]:
    """Return analyses of some texts by a vocabulary that need not be the one in use."""
    with reading_with(vocabulary):
        return [pack(views_of(profile)) for profile in profiles]
