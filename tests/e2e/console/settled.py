"""A page that has come to rest, so that looking at it once is enough."""

from playwright.sync_api import Page, expect

_QUIET_FOR_MS = 200
_LOOKED_AT_FOR_MS = 5_000
_QUIET = """([quiet, most]) => new Promise((resolve) => {
  const rest = () => { observer.disconnect(); clearTimeout(short); clearTimeout(long); resolve(); };
  const observer = new MutationObserver(() => { clearTimeout(short); short = setTimeout(rest, quiet); });
  let short = setTimeout(rest, quiet);
  const long = setTimeout(rest, most);
  observer.observe(document.body, {childList: true, subtree: true});
})"""


def settled(page: Page) -> None:
    """Drawn, with all its parts fetched and filled, and nothing has come or gone for a moment. What is live may go on changing its text."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".page-waiting, .placeholder")).to_have_count(0)
    page.evaluate(_QUIET, [_QUIET_FOR_MS, _LOOKED_AT_FOR_MS])
