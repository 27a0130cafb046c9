"""Open a page in headless Chromium, without network, and run a script in it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

#: Chromium draws WebGL on the processor. It reaches no network: the proxy does not exist.
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--proxy-server=http://127.0.0.1:9",
    "--window-size=800,600",
)
TIMEOUT = 240

#: Calls `act`, an asynchronous function, as soon as the page is ready, and writes what it returns into the page.
DRIVER = """
<script>
(async function () {
  var problems = [], outcome = document.createElement("pre");
  outcome.id = "outcome";
  addEventListener("error", function (event) { problems.push(event.message); });
  document.addEventListener("securitypolicyviolation", function (event) {
    problems.push("blocked " + event.blockedURI);
  });
  while (!document.documentElement.dataset.ready) { await new Promise(function (done) { setTimeout(done, 20); }); }
  var result = {};
  try { result = await (ACT)(); } catch (error) { problems.push(String(error)); }
  result.problems = problems;
  result.ready = document.documentElement.dataset.ready;
  outcome.textContent = JSON.stringify(result);
  document.body.appendChild(outcome);
})();
</script>
"""


def find_chromium() -> str | None:
    """Return the path of Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def run_in_page(page: Path, act: str, folder: Path, budget_ms: int = 5000) -> dict[str, Any]:
    """Open a page from disk, run a script in it, and return what the script returns.

    Args:
        page: The HTML file.
        act: JavaScript: an asynchronous function without arguments that returns an object.
        folder: An empty folder for a copy of the page and for Chromium's files.
        budget_ms: Time that passes for the page. It passes faster than real time.

    Returns:
        The object, and "problems": errors, and resources that the page tried to load.
    """
    copy = folder / "page.html"
    copy.write_text(page.read_text(encoding="utf-8") + DRIVER.replace("ACT", act), encoding="utf-8")
    command = [find_chromium() or "chromium", *OPTIONS, f"--user-data-dir={folder / 'profile'}"]
    command += [f"--virtual-time-budget={budget_ms}", "--dump-dom", copy.as_uri()]
    dumped = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=True).stdout.decode("utf-8")
    found = re.search(r'<pre id="outcome">(.*?)</pre>', dumped, re.DOTALL)
    assert found, f"the page did not become ready: {dumped[-2000:]}"
    outcome: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return outcome
