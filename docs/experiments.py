"""MkDocs hook: the folders of experiments/ and benchmarks/ as pages, with their figures.

Links between them and docs/ are those of the repository; in the site the three lie side by side.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
FOLDERS = ("experiments", "benchmarks")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the pages to the navigation, under their headings."""
    pages = [str(file.relative_to(ROOT)) for file in sorted(ROOT.glob("experiments/*/README.md"))]
    config.nav.append({"Experiments": [{"Overview": "experiments/README.md"}, *pages]})
    config.nav.append({"Benchmarks": "benchmarks/README.md"})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and their figures to the site."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in (".md", ".png", ".svg"):
                name = str(file.relative_to(ROOT))
                files.append(File.generated(config, name, abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Page, **kwargs: object) -> str:
    """Turn links between these folders and docs/ into those of the site."""
    if page.file.src_uri.startswith(tuple(f"{folder}/" for folder in FOLDERS)):
        return markdown.replace("../docs/", "../")
    for folder in FOLDERS:
        markdown = markdown.replace(f"../{folder}/", f"{folder}/")
    return markdown
