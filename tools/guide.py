"Show files of the repository that people read, such as the guide for contributors, as pages of the website"
import re, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from links import TEXTS
from readme import change_links, outside

def page(
    path: Path, # a file of Markdown at the top of the repository
    pages: dict[str, Path], # from `path.sources`
    repo: str|None, # owner/name on GitHub, or None
    branch: str, # that its files are on
) -> str:
    "Return its text; links lead to pages, to GitHub, or nowhere if it isn't there"
    names = {v.resolve(): k for k,v in pages.items()}
    def link(to, html):
        if outside(to): return to
        name = names.get((path.parent/to).resolve())
        if name: return f'{name}.ipynb'
        return f'https://github.com/{repo}/blob/{branch}/{to}' if repo else ''
    text = change_links(path.read_text(encoding='utf-8'), link)
    return re.sub(r'\[([^\]]+)\]\(\)', r'\1', text)

def written(
    root: Path, # of the repository
    pages: dict[str, Path], # from `path.sources`
    repo: str|None, # owner/name on GitHub, or None
    branch: str, # that its files are on
) -> dict[str, str]:
    "{name of a page: its Markdown}, of the files that are there"
    return {name: page(root/o, pages, repo, branch) for o,name in TEXTS.items() if (root/o).is_file()}
