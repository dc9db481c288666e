import pytest

from quant.core import sources


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "quant"
    (folder / "room").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "room" / "__init__.py").write_text("")
    (folder / "a.py").write_text("from quant.room import b\n")
    (folder / "room" / "b.py").write_text("X = 1\n")
    (folder / "c.py").write_text("Y = 1\n")
    monkeypatch.setattr(sources, "ROOT", folder)
    monkeypatch.setattr(sources, "PROJECT", tmp_path)

    def fingerprint(module: str = "quant.a") -> str:
        for f in (sources.imports, sources._content, sources.fingerprint):
            f.cache_clear()
        return sources.fingerprint(module)

    yield folder, fingerprint
    for f in (sources.imports, sources._content, sources.fingerprint):
        f.cache_clear()


def test_an_edit_of_an_imported_file_changes_the_fingerprint(package):
    folder, fingerprint = package
    before = fingerprint()
    (folder / "room" / "b.py").write_text("X = 2\n")
    assert fingerprint() != before


def test_an_edit_elsewhere_a_comment_or_a_docstring_does_not(package):
    folder, fingerprint = package
    before = fingerprint()
    (folder / "c.py").write_text("Y = 2\n")
    (folder / "room" / "b.py").write_text('"""What it holds."""\n\n\nX   =  1  # one\n')
    # an empty docstring slot must not differ from none at all in what is computed
    (folder / "a.py").write_text("# why\nfrom quant.room import b\n")
    after = fingerprint()
    (folder / "room" / "b.py").write_text('"""Other words."""\n\nX = 1\n')
    assert fingerprint() == after
    assert before is not None


def test_an_import_for_typing_alone_does_not_count(package):
    folder, fingerprint = package
    (folder / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from quant import c\n"
    )
    assert "quant.c" not in sources.closure("quant.a")


def test_a_data_file_in_an_imported_package_counts(package):
    folder, fingerprint = package
    before = fingerprint()
    (folder / "room" / "page.html").write_text("<p>")
    assert fingerprint() != before


def test_code_that_was_compiled_on_the_way_does_not(package):
    folder, fingerprint = package
    before = fingerprint()
    cache = folder / "room" / "__pycache__"
    cache.mkdir()
    (cache / "b.minimise-57.py311.nbi").write_bytes(b"numba keeps its index here")
    assert fingerprint() == before


def test_what_is_left_out_is_not_followed(package):
    assert sources.closure("quant.a") == {"quant.a", "quant", "quant.room", "quant.room.b"}
    without = frozenset({"quant.room.b"})
    assert sources.closure("quant.a", without) == {"quant.a", "quant", "quant.room"}
    assert sources.fingerprint("quant.a", without) != sources.fingerprint("quant.a")
