"""Pages that have come to rest, so that looking at one once is enough."""

from collections.abc import Callable

from playwright.sync_api import Page

_QUIET_FOR_MS = 200
_LIVE_FOR_MS = 5_000
_AT_MOST_MS = 60_000
_LOOK_EVERY_MS = 100
_SETTLES = """([quiet, live, most]) => new Promise((resolve) => {
  const began = performance.now();
  let changed = began;
  const observer = new MutationObserver(() => { changed = performance.now(); });
  observer.observe(document, {childList: true, subtree: true});
  const end = (settled) => { observer.disconnect(); resolve(settled); };
  const look = () => {
    const now = performance.now();
    const drawn = document.querySelector("h1") && !document.querySelector(".page-waiting, .placeholder");
    if (drawn && (now - changed >= quiet || now - began >= live)) end(true);
    else if (now - began >= most) end(false);
    else setTimeout(look, 25);
  };
  look();
})"""


def settled(page: Page) -> None:
    """Drawn, with all its parts fetched and filled, and nothing has come or gone for a moment; what is live may go on."""
    assert page.evaluate(_SETTLES, [_QUIET_FOR_MS, _LIVE_FOR_MS, _AT_MOST_MS]), f"{page.url} does not settle"


def until(page: Page, is_so: Callable[[], bool]) -> None:
    """For what the browser tells of by itself, a moment after it was done."""
    for _ in range(_AT_MOST_MS // _LOOK_EVERY_MS):
        if is_so():
            return
        page.wait_for_timeout(_LOOK_EVERY_MS)
    raise AssertionError(f"{page.url}: the browser has not told of it")


def turn_to(page: Page, path: str) -> None:
    """To another page of the console as its links go there: within the document, which is loaded if it is not there yet."""
    if page.url == "about:blank":
        page.goto(path)
    else:
        page.evaluate(
            "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }",
            path,
        )
    settled(page)
