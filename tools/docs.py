"Build the website `_docs/` from the committed notebooks and the library; no notebook is run"
import json, os, shutil, subprocess, sys, time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

sys.path.insert(0, str(Path(__file__).parent))
import guide, play, reference, tutor, twins
from cells import site_page
from colab import colab, colab_url
from execute import root
from landing import add_pictures, front, pictures, settings, version
from links import DocsError
from path import MAP, Course, sources
from readme import page

FRONT = 'index'  # the page without a notebook: `docs/templates/front.html`

# ---- pages ----

def write(
    path: Path, # of a file
    text: str, # that goes into it
) -> None:
    "Write a file, and its folder"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')

def written(
    pages: dict[str, Path], # from `path.sources`
    repo: str|None, # owner/name on GitHub, or None
    branch: str, # that the library is on
) -> dict[str, str]:
    "{name of a page: its Markdown}, for the reference, the page for assistants and the guide for contributors"
    helped = {'tutor': tutor.page(root, f'{MAP}.ipynb')} if (root/'nbs'/'teaching').is_dir() else {}
    texts = guide.written(root, pages, repo, branch)
    return reference.pages(reference.shelf(root, pages, repo, branch)) | helped | texts

def described(
    course: Course, # its chapters and their order
    cards: dict[str, bytes], # from `landing.pictures`
    repo: str|None, # owner/name on GitHub, or None
    play: bool, # whether there is a page to play with
) -> dict:
    "What the templates show: sidebar, neighbours on the path, descriptions, front page"
    chapters = {title: [dict(name=o.name, title=o.label, practice=o.practice, own=course.owner(o.practice) is o)
                        for o in part] for title,part in course.parts().items()}
    order = course.order()
    path = {o: dict(place=i, words=f'{o} {course.titles[o]} {course.questions[o]}') for i,o in enumerate(order)}
    shown = front(course, cards)
    return dict(chapters=chapters, projects=course.projects, apart=course.apart(), titles=course.titles,
                questions=course.questions, neighbours={o: course.neighbours(o) for o in order}, path=path, front=shown,
                settings=settings(), version=version(), repo=repo, play=play,
                colab=repo and shown['first'] and colab_url(repo, shown['first']))

def copy_files(
    dest: Path, # folder
    files: dict[str, Path], # {path in the folder: file}
) -> None:
    "Copy files that pages link to"
    for k,v in files.items():
        (dest/k).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(v, dest/k)

def prepare(
    dest: Path, # folder for what Sphinx reads
    repo: str|None, # owner/name on GitHub, or None
    branch: str, # that the notebooks are on
    play: bool = False, # is there a page to play with?
) -> tuple[list[str], dict[str, bytes], dict[str, str]]:
    "Write all pages to `dest`; return their names, the pictures of the cards, and the pages in Markdown"
    pages,files = sources(),{}
    nbs = {k: page(nbformat.read(v, as_version=4)) for k,v in pages.items()}
    texts = written(pages, repo, branch)
    course = Course(nbs, texts)
    cards = pictures(nbs, course)
    write(dest/'site.json', json.dumps(described(course, cards, repo, play)))
    write(dest/f'{FRONT}.md', '---\nno-search: true\n---\n# Front page\n')
    for k,nb in nbs.items():
        site_page(k, nb, pages, course, repo, branch, files)
        write(dest/f'{k}.ipynb', nbformat.writes(nb))
    for k,t in texts.items(): write(dest/f'{k}.md', t)
    copy_files(dest, files)
    return [FRONT, *pages, *texts],cards,texts

# ---- the website ----

def sphinx(
    src: Path, # what `prepare` wrote
    dest: Path, # folder for the website
) -> None:
    "Run Sphinx; a warning is an error, and names notebook and link"
    cmd = [sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going',
           '--color' if sys.stderr.isatty() else '--no-color', '-j', 'auto', '-c', root/'docs', '-d',
           src.parent/'doctrees', src, dest]
    env = {**os.environ, 'PYTHONPATH': str(root/'tools'), 'PYTHONUTF8': '1'}
    r = subprocess.run([str(o) for o in cmd], env=env, cwd=root, capture_output=True, text=True, encoding='utf-8')
    if r.returncode: raise DocsError(r.stderr.replace(f'{src}/{MAP}.', 'nbs/index.').replace(f'{src}/', 'nbs/').strip())

def play_page(
    dest: Path, # folder for it
) -> Path|None:
    "Make the page to play with, and say which data it shows; return its folder, or None where there can be none"
    try: print(f'The page to play with is made from {play.make(dest)}')
    except play.PlayError as e:
        print(f'The website has no page to play with. {e}', file=sys.stderr)
        return None
    return dest

def add_colabs(
    dest: Path, # folder for the copies
    repo: str|None, # owner/name on GitHub
    branch: str, # to install from
) -> None:
    "Write the copies of the notebooks for Colab"
    pages = sources()
    for k in pages:
        if not k.startswith('bench/'): write(dest/f'{k}.ipynb', nbformat.writes(colab(k, pages, repo, branch)))

def swap(
    new: Path, # a whole website
    dest: Path, # where it goes, in place of the last one
) -> None:
    "Put the new website where the old one was"
    old = new.with_name('old')
    if dest.exists(): dest.rename(old)
    new.rename(dest)
    shutil.rmtree(old, ignore_errors=True)

def add_way_back(
    page: Path, # the page to play with, in the website
) -> None:
    "Let a page that stands alone lead back to the course"
    line = '<p class="note"><a href="../index.html" style="color: inherit">Collab course</a> · built in ' \
           '<a href="../17_page.html" style="color: inherit">chapter 17</a></p>'
    text = page.read_text(encoding='utf-8')
    page.write_text(text.replace('<header>', f'<header>\n  {line}', 1), encoding='utf-8')

def build(
    dest: Path = root/'_docs', # folder of the website
    repo: str|None = None, # owner/name on GitHub; None: no buttons
    branch: str = 'main', # that the notebooks are on
    work: Path = root/'_proc', # folder for what is made on the way
    play: Path|None = None, # folder with the page to play with, or None
) -> list[str]:
    "Build the website aside and put it in place; return the names of its pages"
    shutil.rmtree(work, ignore_errors=True)
    names,cards,texts = prepare(work/'src', repo, branch, bool(play))
    new = work/'site'
    sphinx(work/'src', new)
    add_pictures(new, cards)
    copy_files(new, {'files/LICENSE.txt': root/'LICENSE'})
    if play:
        shutil.copytree(play, new/'play')
        add_way_back(new/'play'/'index.html')
    (new/'.nojekyll').touch()
    for o in ('.buildinfo', 'objects.inv'): (new/o).unlink(missing_ok=True)
    shutil.rmtree(new/'_sources', ignore_errors=True)
    twins.write(root, new, sources(), texts)
    if repo: add_colabs(new/'colab', repo, branch)
    swap(new, dest)
    return names

def main(
    args: list[str]|None = None, # command line; None: of this process
) -> int:
    "Build; 1 where there is nothing new to see"
    p = ArgumentParser(description='The website, from the committed notebooks and the library')
    p.add_argument('--repo', default=os.environ.get('GITHUB_REPOSITORY'),
                   help='owner/name on GitHub, for the buttons (default: GITHUB_REPOSITORY)')
    p.add_argument('--branch', default=os.environ.get('GITHUB_REF_NAME') or 'main',
                   help='that the notebooks are on (default: GITHUB_REF_NAME, or main)')
    o,t = p.parse_args(args),time.monotonic()
    try:
        with TemporaryDirectory() as folder:
            names = build(repo=o.repo or None, branch=o.branch, play=play_page(Path(folder)/'play'))
    except DocsError as e:
        print(f'{e}\nThe website is as it was.', file=sys.stderr)
        return 1
    size = sum(f.stat().st_size for f in (root/'_docs').rglob('*') if f.is_file())
    print(f'{len(names)} pages in {time.monotonic()-t:.0f} s, {size/1e6:.0f} MB: open _docs/index.html')
    return 0

if __name__=='__main__': sys.exit(main())
