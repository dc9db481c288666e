"""What every page must be: balanced, without script, and complete without anything else."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

VOID = {"meta", "br", "link", "img", "hr", "input"}
NASTY = "<script>alert('x')</script>&\"'"


class Balanced(HTMLParser):
    """Every opened tag is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [v for k, v in attrs if k == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def parse(page):
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return parser


def sound(page):
    """Assert what holds for every page; return its parser."""
    parser = parse(page)
    assert len(parser.ids) == len(set(parser.ids))
    assert "<script" not in page and " style=" not in page and "://" not in page
    for text in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(text)
    return parser
