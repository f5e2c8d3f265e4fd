"""The main job, through the public API: a need comes back as a ranked, explained list."""

import pytest

pytestmark = pytest.mark.e2e

ABSENT = "019a0000-0000-7000-8000-000000000000"


def _supply(ref: str, title: str, description: str, **more):
    return {
        "title": title,
        "description": description,
        "language": "vi",
        "kind": "EQUIPMENT",
        "status": "PUBLISHED",
        "source": {"kind": "OFFICE", "system": "e2e", "ref": ref},
        **more,
    }


def _demand(ref: str, title: str, description: str, **more):
    return {
        "title": title,
        "description": description,
        "language": "vi",
        "kind": "APPLICATION",
        "province": "19",
        "status": "PUBLISHED",
        "source_ref": {"system": "e2e", "ref": ref},
        **more,
    }


def _put_supply(operator, ref, *args, **more):
    return operator.ok("PUT", f"/v1/supplies/by-ref/e2e/{ref}", json=_supply(ref, *args, **more))


def _put_demand(operator, ref, *args, **more):
    return operator.ok("PUT", f"/v1/demands/by-ref/e2e/{ref}", json=_demand(ref, *args, **more))


def _rare_words(unique: str) -> str:
    """Words that only this test's texts hold, enough of them to outweigh the common ones."""
    return " ".join(f"{unique}{number}" for number in range(8))


def _list(operator, demand):
    page = operator.ok("GET", f"/v1/demands/{demand['id']}/matches")
    return None if page["pending"] else page["items"]


def test_a_published_demand_gets_a_ranked_and_explained_list(operator, until, unique) -> None:
    word = f"zq{unique}"
    best = _put_supply(
        operator,
        f"{unique}-1",
        f"Máy sấy chè {word}",
        f"Sấy chè bằng bơm nhiệt {word} tiết kiệm",
        trl=9,
    )
    _put_supply(operator, f"{unique}-2", "Máy ép dầu lạc", f"Ép dầu lạc nguội {word}", trl=9)
    demand = _put_demand(
        operator, unique, f"Cần máy sấy chè {word}", f"Sấy chè bằng bơm nhiệt {word}", trl_min=7
    )
    items = until(lambda: _list(operator, demand))
    until(lambda: len(_list(operator, demand)) >= 2)
    items = _list(operator, demand)
    first = items[0]
    assert first["supply_id"] == best["id"]
    assert [match["rank"] for match in items] == list(range(1, len(items) + 1))
    scores = [match["score"] for match in items]
    assert scores == sorted(scores, reverse=True)
    for match in items:
        millionths = sum(round(part["contribution"] * 1_000_000) for part in match["components"])
        assert millionths == round(match["score"] * 1_000_000)
    assert {"vi", "en"} <= first["explanation"]["text"].keys()
    assert first["explanation"]["matched"]
    assert operator.ok("GET", f"/v1/matches/{first['id']}")["id"] == first["id"]


def test_lists_follow_supplies_that_come_change_and_go(operator, until, unique) -> None:
    word = f"wk{unique}"
    demand = _put_demand(operator, unique, f"Thiết bị {word}", f"Cần thiết bị {word} cho xưởng")
    until(lambda: _list(operator, demand) is not None)
    supply = _put_supply(operator, unique, f"Thiết bị {word}", f"Bán thiết bị {word}", trl=8)

    def ids():
        return [match["supply_id"] for match in _list(operator, demand)]

    until(lambda: supply["id"] in ids())
    _put_supply(operator, unique, f"Thiết bị {word} đời mới", f"Bán thiết bị {word}", trl=9)

    def version():
        return {m["supply_id"]: m["supply_version"] for m in _list(operator, demand)}.get(
            supply["id"]
        )

    until(lambda: version() == 2)
    operator.ok(
        "POST",
        f"/v1/supplies/{supply['id']}/transitions",
        json={"to": "WITHDRAWN", "reason": "không còn bán"},
        headers={"If-Match": '"2"'},
    )
    until(lambda: supply["id"] not in ids())


def test_a_demand_says_what_stands_in_its_way(operator, until, unique) -> None:
    rare = _rare_words(unique)
    _put_supply(operator, unique, f"Máy {rare}", f"Máy {rare} thử nghiệm", trl=3)
    demand = _put_demand(operator, unique, f"Máy {rare}", f"Cần máy {rare}", trl_min=8)

    def diagnosis():
        found = operator.ok("GET", f"/v1/demands/{demand['id']}/diagnosis")
        return None if found["pending"] or not found["near_misses"] else found

    found = until(diagnosis)
    assert found["diagnosis"] == "MISMATCH"
    assert found["near_misses"][0]["reasons"][0]["code"] == "TRL_LOW"


def test_the_overview_combines_demand_matches_and_counts(operator, until, unique) -> None:
    word = f"ov{unique}"
    _put_supply(operator, unique, f"Lò {word}", f"Lò {word}")
    demand = _put_demand(operator, unique, f"Lò {word}", f"Cần lò {word}")

    def overview():
        found = operator.ok("GET", f"/v1/demands/{demand['id']}/overview")
        return found if found["matches"] and found["matches"]["items"] else None

    found = until(overview)
    assert (found["partial"], found["missing"]) == (False, [])
    assert found["demand"]["id"] == demand["id"]
    assert found["counts"]["matches"] == len(found["matches"]["items"])


def test_a_supply_sees_the_demands_it_is_listed_for(operator, until, unique) -> None:
    rare = _rare_words(unique)
    demand = _put_demand(operator, unique, rare, rare)
    supply = _put_supply(operator, unique, rare, rare)

    def seen():
        page = operator.ok("GET", f"/v1/supplies/{supply['id']}/matches")
        return [match["demand_id"] for match in page["items"]]

    assert until(seen) == [demand["id"]]


def test_matches_are_hidden_from_whoever_has_no_part_in_them(
    operator, client_of, until, unique
) -> None:
    demand = _put_demand(operator, unique, "Máy hái chè", "Cần máy hái chè")
    until(lambda: _list(operator, demand) is not None)
    path = f"/v1/demands/{demand['id']}/matches"
    assert client_of("dost-19")("GET", path).status_code == 200
    for stranger in ("provider", "reader", None):
        answer = client_of(stranger)("GET", path)
        absent = client_of(stranger)(
            "GET", "/v1/demands/019a0000-0000-7000-8000-000000000000/matches"
        )
        assert answer.status_code == absent.status_code
        assert answer.status_code in (401, 403, 404)


def test_the_dashboard_counts_what_was_published(operator, client_of, until, unique) -> None:
    def published():
        return client_of(None).ok("GET", "/v1/reporting/dashboard")["funnel"]["demands_published"]

    before = published()
    _put_demand(operator, unique, "Máy sàng gạo", "Cần máy sàng gạo")
    until(lambda: published() > before)
