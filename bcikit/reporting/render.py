"""Pages from templates: every report has its own template, and all of them one frame and one style."""

from typing import Any


def render(package: str, template: str, **values: Any) -> str:
    """Return a page made from a template; every text put into it is escaped.

    Parameters
    ----------
    package : str
        The package in whose folder ``templates`` the template lies. It begins with ``{% extends "base.html" %}``.
    template : str
        Its file name.
    **values
        What it may name.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    loader = ChoiceLoader([PackageLoader(package), PackageLoader("bcikit.reporting")])
    return Environment(loader=loader, autoescape=True, trim_blocks=True).get_template(template).render(values)
