"""`python -m tests.bench.lists` in short: a list must not read what it does not show."""

from tests.bench.lists import MOST_GROWTH, measure


async def test_a_list_costs_its_page_and_not_its_length() -> None:
    few, many = await measure(300, 40), await measure(20_000, 40)

    assert many.walked == 20_000
    assert many.grown < MOST_GROWTH
    for name, median in many.median_ms.items():
        assert median < 3 * few.median_ms[name] + 5, (name, few.median_ms[name], median)
