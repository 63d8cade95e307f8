"The front page: what its template shows, counted from the notebooks, and a small picture for each card"
import base64, configparser, io, re, shutil, sys
from collections.abc import Iterable
from pathlib import Path

from nbformat import NotebookNode
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from execute import root
from path import LINES, MAP, WORDS, Chapter, Course

ABOUT = ('learning', 'library', MAP)  # pages that the line at the top links to, where they are
TEACH = {'teaching': ("Teacher's edition", 'Solutions, hints and known mistakes of each practice, one page a chapter'),
         'bench': ('Measurements', 'Where the numbers of the chapters come from, and how to run them again')}
CARD = (600, 340)  # a card's picture fits into this, which is sharp on a phone too

def figure(
    nb: NotebookNode, # a chapter
) -> Image.Image|None:
    "The first picture that a chapter shows, as a Pillow image, or None"
    found = (o.data['image/png'] for c in nb.cells for o in c.get('outputs', []) if 'image/png' in o.get('data', {}))
    png = next(found, None)
    return png and Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB')

def small(
    image: Image.Image, # a Pillow image
) -> bytes:
    "Bytes of the image, small enough for a card"
    image.thumbnail(CARD, Image.LANCZOS)
    out = io.BytesIO()
    image.save(out, 'webp', quality=80, method=6)
    return out.getvalue()

def pictures(
    nbs: dict[str, NotebookNode], # {name of a page: its notebook}
    course: Course, # its chapters and their order
) -> dict[str, bytes]:
    "{name of a chapter: bytes of its card's picture}, for the chapters that show one"
    shown = {o.name: figure(nbs[o.name]) for o in course.chapters}
    return {k: small(v) for k,v in shown.items() if v}

def card(
    chapter: Chapter, # one of them
    course: Course, # its chapters and their order
    pictured: Iterable[str], # names of the chapters that have a picture
) -> dict:
    "What the template shows of a chapter"
    practice = course.practices.get(chapter.practice)
    return dict(name=chapter.name, number=chapter.number, title=chapter.title, question=chapter.question,
                minutes=chapter.minutes, pictured=chapter.name in pictured, practice=practice and practice.name,
                exercises=practice.exercises if practice and course.owner(practice.name) is chapter else 0)

def settings() -> dict[str, str]:
    "What `settings.ini` says of this project"
    found = configparser.ConfigParser(interpolation=None)
    found.read(root/'settings.ini', encoding='utf-8')
    return dict(found.defaults())

def version() -> str:
    "The version of the library, or '' where it has none"
    path = root/'collab_course'/'__init__.py'
    found = re.search(r"__version__ *= *['\"]([^'\"]+)", path.read_text(encoding='utf-8')) if path.exists() else None
    return found[1] if found else ''

def shots() -> dict[str, str]:
    "Pictures of the page to play with, as far as they exist: one that stands still, one that moves"
    return {k: name for k,name in dict(still='page.png', moving='page.gif').items() if (root/'docs'/name).exists()}

def numbers(
    course: Course, # its chapters and their order
) -> list[tuple[int, str]]:
    "What the course has of everything, with its name"
    practices = course.practices.values()
    return [(sum(bool(o.number) for o in course.chapters), 'chapters'),
            (sum(o.exercises for o in practices), 'exercises that name your mistake'),
            (sum(o.questions for o in practices), 'questions that explain their answers')]

def teachers(
    course: Course, # its chapters and their order
) -> list[dict[str, str]]:
    "The first page of each group that is for teachers, with a title and a line about the group"
    first = {o: next((k for k in course.titles if k.startswith(f'{o}/')), None) for o in TEACH}
    return [dict(name=first[o], title=title, about=about) for o,(title,about) in TEACH.items() if first[o]]

def front(
    course: Course, # its chapters and their order
    pictured: Iterable[str], # names of the chapters that have a picture
) -> dict:
    "What the front page shows"
    cards = {title: [card(o, course, pictured) for o in chapters if o.number]
             for title,chapters in course.parts().items()}
    page = lambda o: dict(name=o, title=course.titles[o], question=course.questions[o])
    return dict(parts=cards, numbers=numbers(course), pace=(WORDS, LINES), shots=shots(),
                first=next((o.name for o in course.chapters if o.number), ''),
                before=next((page(o.name) for o in course.chapters if not o.number), None),
                about={o: course.titles[o] for o in ABOUT if o in course.titles},
                projects=[page(o) for o in course.projects], teachers=teachers(course))

def add_pictures(
    dest: Path, # folder of the website
    cards: dict[str, bytes], # from `pictures`
) -> None:
    "Write the pictures of the front page"
    folder = dest/'_static'/'cards'
    folder.mkdir(exist_ok=True)
    for k,v in cards.items(): (folder/f'{k}.webp').write_bytes(v)
    for o in shots().values(): shutil.copy(root/'docs'/o, dest/'_static')
