"""A Chromium from the system for the tests of the site, if there is one."""

import shutil
from importlib.util import find_spec

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]

MISSING = (
    "playwright is not installed; install the dev extra"
    if find_spec("playwright") is None
    else f"no Chromium is installed (looked for {', '.join(NAMES)}); `apt-get install chromium`"
    if CHROMIUM is None
    else ""
)
