"""`python -m tests.bench.lists` in short: a list must not read what it does not show."""

from tests.bench.lists import LISTS, MOST_GROWTH, measure


async def test_a_list_costs_its_page_and_not_its_length() -> None:
    few, many = await measure(300, 40), await measure(20_000, 40)

    assert many.walked == 20_000
    assert many.grown < MOST_GROWTH
    for name in LISTS:
        cpu_ms = many.cpu_ms[name]
        assert cpu_ms < 2 * few.cpu_ms[name] + 3, (name, few.cpu_ms[name], cpu_ms)
