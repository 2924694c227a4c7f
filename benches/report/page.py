"""Puts what was measured between the markers of the page:

    <!-- figures: NAME -->
    ... written by benches/report ...
    <!-- end of figures -->
"""

import re
import sys

SECTION = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def with_figures(text, sections):
    """The text with each section in its place. Every section has one, and every place a section."""
    places = [match[2] for match in SECTION.finditer(text)]
    if sorted(places) != sorted(sections):
        sys.exit(f"the page has places for {places}, and there are {list(sections)}")
    return SECTION.sub(lambda match: f"{match[1]}\n{sections[match[2]]}\n{match[3]}", text)
