"""Search: by owner, digest, model, names of classes, shape; page by page."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from sqlalchemy import event

from tests.support.dispute import Claimant, TestJudge, marked, random_images
from tests.support.registry_server import Served, registration
from zkwm_protocols.keys import SigningKey

pytestmark = pytest.mark.usefixtures("quick_labels")
PLAIN = tuple(f"class {i}" for i in range(10))
ODD = ('a", "cat', "cat\\", "100%", "c_t", "['cat']", "Katze", "猫", "x, y", '"', "last")


@pytest.fixture(scope="module")
def owners(registry: Served) -> list[Claimant]:
    """Four commitments by two keys: two shapes, names of classes or none."""
    ours, theirs = SigningKey.generate(), SigningKey.generate()
    made = [
        Claimant(random_images(50, seed=1), salt_seed=1, keys=(ours,), class_names=PLAIN),
        Claimant(random_images(50, seed=2), salt_seed=2, keys=(theirs,), class_names=ODD),
        Claimant(random_images(50, seed=3), salt_seed=3, keys=(ours, theirs)),
        Claimant(random_images(50, seed=4, shape=(3, 4, 5)), salt_seed=4, keys=(theirs,)),
    ]
    market = registry.caller("market.example")
    for owner in made:
        assert market.post("/v1/commitments", registration(owner)).status == 201
    return made


def found(registry: Served, query: str) -> set[str]:
    answer = registry.caller().get(f"/v1/commitments?{query}")
    return {one["digest"] for one in answer.json["commitments"]}


def names(owners: list[Claimant], *which: int) -> set[str]:
    return {owners[i].commitment.digest.hex() for i in which}


def test_by_owner_shape_and_digest(registry: Served, owners: list[Claimant]) -> None:
    ours, theirs = (key.public.fingerprint() for key in owners[2].keys)
    assert found(registry, "") == names(owners, 0, 1, 2, 3)
    assert found(registry, f"owner={ours}") == names(owners, 0, 2)
    assert found(registry, f"owner={theirs}&shape=3x4x5") == names(owners, 3)
    assert found(registry, f"owner={ours}&shape=3x4x5") == set()
    assert found(registry, "class_count=10&shape=1x8x8") == names(owners, 0, 1, 2)
    for owner in owners:
        name = owner.commitment.digest.hex()
        assert found(registry, f"digest={name[:16]}") == {name}
        assert found(registry, f"digest={name}") == {name}


@pytest.mark.parametrize(
    ("name", "which"),
    [
        ("class 3", [0]), ("class", []), ("cat", []), ('a", "cat', [1]), ("cat\\", [1]),
        ("100%", [1]), ("100_", []), ("c_t", [1]), ("c%t", []), ("猫", [1]), ('"', [1]),
        ("x, y", [1]), ("x", []), ("['cat']", [1]), ("last", [1]), ("%", []),
    ],
)  # fmt: skip
def test_by_a_whole_name_of_a_class(
    registry: Served, owners: list[Claimant], name: str, which: list[int]
) -> None:
    assert found(registry, f"class_name={quote(name)}") == names(owners, *which)
    both = f"class_name={quote(name)}&class_name=last"
    assert found(registry, both) == names(owners, *(i for i in which if i == 1))


def test_a_name_is_looked_up_by_an_index(plain: Served) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []
    with plain.database.reading() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", lambda *one: asked.append((one[2], one[3])))
    assert plain.caller().get("/v1/commitments?class_name=cat").status == 200
    [(query, values)] = [one for one in asked if "commitment_classes" in one[0]]
    with plain.database.reading() as connection:
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).all())
    assert "SEARCH commitment_classes USING COVERING INDEX" in plan
    assert "SCAN" not in plan


def test_by_model(registry: Served, owners: list[Claimant], judge: TestJudge) -> None:
    market, suspect = registry.caller("market.example"), marked(owners[0].images, owners[0].labels)
    model = suspect.identity.digest.hex()
    assert found(registry, f"model={model}") == set()
    for owner in owners[:2]:
        challenge = judge.challenge(owner.commitment, suspect, reveal=50)
        assert market.post("/v1/claims", challenge.to_bytes()).status == 201
    assert found(registry, f"model={model}") == names(owners, 0, 1)
    asked: list[str] = []
    with registry.database.reading() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", lambda *one: asked.append(one[2]))
    claims = market.get(f"/v1/claims?model={model}&limit=1").json
    [listing] = [one for one in asked if "answer_by" in one]
    assert "file" not in listing, "a list of claims reads no challenges, which are long"
    more = market.get(f"/v1/claims?model={model}&limit=1&after={claims['after']}").json
    assert {claims["claims"][0]["commitment"], more["claims"][0]["commitment"]} == names(
        owners, 0, 1
    )


def test_page_by_page(registry: Served, owners: list[Claimant]) -> None:
    seen, after = [], ""
    while True:
        page = registry.caller().get(f"/v1/commitments?limit=1{after}").json
        seen += [one["digest"] for one in page["commitments"]]
        if page["after"] is None:
            break
        after = f"&after={page['after']}"
    assert len(seen) == len(set(seen)) == len(owners)
