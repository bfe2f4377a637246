"""All pages build as a site without a warning: each stands in its menu, and every link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "reference" / "api.md"
PAGES_ALONE = f"""
INHERIT: {ROOT / "mkdocs.yml"}
docs_dir: {ROOT / "docs"}
plugins: [search]
"""


def built(config: Path, folder: Path) -> None:
    # Not --quiet: warnings that are not said are not counted either.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pages_build(tmp_path: Path) -> None:
    """Without the reference, for which every module of the package is read."""
    config = tmp_path / "pages.yml"
    config.write_text(PAGES_ALONE, encoding="utf-8")
    built(config, tmp_path / "site")
    assert (tmp_path / "site" / "reference" / "api.html").is_file()


def test_what_the_reference_describes_exists() -> None:
    names = re.findall(r"^::: (\S+)$", API.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) >= 10
    assert all(resolve_name(name).__doc__ for name in names)


@pytest.mark.slow
def test_the_site_builds(tmp_path: Path) -> None:
    built(ROOT / "mkdocs.yml", tmp_path)
    assert "InferenceSession" in (tmp_path / "reference" / "api.html").read_text(encoding="utf-8")
