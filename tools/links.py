"Links of notebooks, as the website needs them"
import os, sys
from pathlib import Path
from posixpath import relpath

sys.path.insert(0, str(Path(__file__).parent))
from execute import root
from readme import outside

TEXTS = {'CONTRIBUTING.md': 'contributing'}  # files of the repository that are pages of the website, by `guide`

class DocsError(Exception): "Why there is no website, and where to look"

def target(
    path: Path, # the notebook that the link stands in
    to: str, # where the link leads, as written, without the part behind `#`
    pages: dict[str, Path], # from `path.sources`
) -> tuple[str|None, Path]:
    "Where a link leads: a page's name or None, and the file"
    full = (path.parent/to).resolve()
    name = next((k for k,v in pages.items() if v==full), None)
    if name is None and not (full.is_file() and full.is_relative_to(root)):
        raise DocsError(f'{path.relative_to(root).as_posix()}: the link `{to}` leads nowhere')
    return name,full

def beside(
    to: str, # name of a page or file, from the top of the website
    name: str, # of the page that the link stands on
) -> str:
    "The relative link from one to the other"
    return relpath(to, os.path.dirname(name) or '.')

def site_link(
    to: str, # where the link leads, as written
    html: bool, # written in HTML?
    name: str, # of the page
    pages: dict[str, Path], # from `path.sources`
    files: dict[str, Path], # gets the files that are linked to
) -> str:
    "The link as it has to be on the website"
    if outside(to): return to
    to,*anchor = to.split('#')
    page,full = target(pages[name], to, pages)
    file = full.relative_to(root).as_posix()
    if page: dest = f"{page}.{'html' if html else 'ipynb'}"
    elif file in TEXTS: dest = f"{TEXTS[file]}.{'html' if html else 'md'}"
    else: files[dest := f'files/{file}'] = full
    return '#'.join([beside(dest, name), *anchor])
