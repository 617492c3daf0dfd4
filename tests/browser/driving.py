"""What the browser tests do with any page: wait for it, download from it, and listen to what it should not do."""

import csv
import io

READY = "[data-testid=stApp][data-test-script-state=notRunning]"
WAIT_MS = 90_000


def watch(page, server):
    """Collect requests to other hosts and errors in the browser's console."""
    seen = []
    own = (server.url, server.url.replace("http", "ws", 1), "data:", "blob:", "about:")

    def request(one):
        if not one.url.startswith(own):
            seen.append(f"request to {one.url}")

    page.on("request", request)
    page.on("websocket", request)
    page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: seen.append(str(error)))
    return seen


def settle(page):
    page.wait_for_timeout(300)
    page.wait_for_selector(READY, timeout=WAIT_MS)


def wait_until_saved(page):
    """Wait until the gallery has nothing that the server has not acknowledged."""
    settle(page)
    page.wait_for_function(
        """() => {
            const root = [...document.querySelectorAll("*")].map(node => node.shadowRoot)
                .find(one => one?.querySelector(".grid"))
            return root && root.querySelector(".saving").hidden && !root.querySelector(".badge.waiting")
        }""",
        timeout=WAIT_MS,
    )
    settle(page)


def download(page, button):
    with page.expect_download(timeout=WAIT_MS) as event:
        page.get_by_role("button", name=button).click()
    return list(csv.reader(io.StringIO(event.value.path().read_text(encoding="utf-8-sig"), newline="")))
