"""Templates: everything that is filled in is escaped, and a name that a template lacks is an error."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from peabench_leaderboard.site import figures
from peabench_leaderboard.site.slugs import slug

TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """The site's templates, with what stands on every page."""

    def __init__(self, commit: str, version: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.globals |= {"figures": figures, "commit": commit, "version": version}
        self._environment.filters |= {"slug": slug, "reference": reference_address}

    def render(self, template: str, file: str, **context: Any) -> str:
        """A page as text.

        Args:
            template: its name in `templates`, without the suffix.
            file: the page's place in the site, from which the way to the root is known.
            context: what the template names.
        """
        root = "../" * file.count("/")
        return self._environment.get_template(f"{template}.html.jinja").render(root=root, file=file, **context)


def reference_address(reference: str) -> str | None:
    """The address of a paper, where a reference is one: nothing but http and https is ever linked.

    >>> reference_address("https://arxiv.org/abs/2310.10348")
    'https://arxiv.org/abs/2310.10348'
    >>> reference_address("javascript:alert(1)")
    """
    begins = reference.startswith(("https://", "http://"))
    return reference if begins and reference.isprintable() and " " not in reference else None
