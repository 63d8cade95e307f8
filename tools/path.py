"The path through the course: which pages there are, what each is, and which one comes next"
import ast, re, sys
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

sys.path.insert(0, str(Path(__file__).parent))
from execute import root

# the walk in parts; what is not a chapter stands apart, folded, below it
PARTS = {'Part 1: from a row to a model': range(0, 10), 'Part 2: how good, how fast, how far': range(10, 15),
         'Part 3: the product': range(15, 100)}
BEFORE = 'before'  # the page that comes before the first chapter

APART = {'': 'About the course', 'api': 'Reference', 'library': 'Library pages', 'course': 'How the course works',
         'bench': 'Measurements', 'teaching': 'For teachers'}
MAP = 'map'  # the page that `nbs/index.ipynb` becomes: the front page is another one

# what a reader gets through in a minute, for the minutes on the cards
WORDS,LINES = 200,10

@dataclass
class Chapter:
    name: str           # of its page
    number: str         # such as 04; '' for the page before the first
    title: str          # what its heading says behind the number
    question: str       # the line under its heading
    minutes: int        # to read it with its code
    practice: str|None  # name of the practice that its end links to
    reference: list[str] # modules that its end names

    @property
    def label(self) -> str:
        "Number and title"
        return f'{self.number} {self.title}'.strip()

@dataclass
class Practice:
    name: str       # of its page
    title: str      # what its heading says
    exercises: int  # cells that check an answer
    questions: int  # numbered questions

    @property
    def counts(self) -> str:
        "How much there is to do"
        found = [(self.exercises, 'exercise'), (self.questions, 'question')]
        return ' and '.join(f"{n} {what}{'s'[n==1:]}" for n,what in found if n)

def sources() -> dict[str, Path]:
    "{name of a page: the notebook it is made of}; the map first"
    found = {o.relative_to(root/'nbs').with_suffix('').as_posix(): o for o in (root/'nbs').rglob('*.ipynb')}
    found |= {f'bench/{o.stem}': o for o in (root/'bench').glob('*.ipynb')}
    kept = {k:found[k] for k in sorted(found) if not re.search(r'(^|/)[._]', k) and k!='index'}
    return {MAP: found['index'], **kept}

# ---- what a notebook says of itself ----

def words(
    nb: NotebookNode, # a notebook
) -> str:
    "Its Markdown"
    return '\n\n'.join(c.source for c in nb.cells if c.cell_type=='markdown')

def first_line(
    nb: NotebookNode, # a notebook
    mark: str, # that the line begins with
) -> str:
    "The first line of its Markdown with this mark, without mark and backticks"
    found = re.search(rf'^{mark} +(.+?)\s*$', words(nb), re.M)
    return found[1].replace('`', '') if found else ''

def heading(
    nb: NotebookNode, # a notebook
) -> str:
    "Its first heading, without backticks"
    return first_line(nb, '#')

def question(
    nb: NotebookNode, # a notebook
) -> str:
    "The line under its heading, without backticks"
    return first_line(nb, '>')

def next_line(
    nb: NotebookNode, # a notebook
) -> list[str]:
    "The line that says what comes next, in pieces"
    found = re.search(r'^\*\*Next\*\* · (.+)$', words(nb), re.M)
    return found[1].split(' · ') if found else []

def practice_link(
    nb: NotebookNode, # a chapter
) -> str|None:
    "Name of the practice that its end links to, or None"
    found = re.search(r'\]\((practice/[^)]+)\.ipynb', ' '.join(next_line(nb)))
    return found and found[1]

def modules(
    nb: NotebookNode, # a chapter
) -> list[str]:
    "Modules that its end names as reference"
    return re.findall(r'`collab_course\.([\w.]+)`', ' '.join(next_line(nb)))

def minutes(
    nb: NotebookNode, # a notebook
) -> int:
    "Minutes to read it, up to the next five: `WORDS` words or `LINES` lines of shown code in each"
    lines = sum(c.source.count('\n') + 1 for c in nb.cells if c.cell_type=='code' and not plumbing(c))
    return -int(-(len(words(nb).split())/WORDS + lines/LINES)//5)*5

def plumbing(
    cell: NotebookNode, # a code cell
) -> bool:
    "Whether it is folded in the lab, or holds imports and private names only"
    if cell.metadata.get('jupyter', {}).get('source_hidden'): return True
    found = statements(cell)
    return bool(found) and all(is_import(o) or is_private(o) for o in found)

def imports(
    cell: NotebookNode, # a code cell
) -> bool:
    "Whether it begins with an import"
    return any(map(is_import, statements(cell)[:1]))

def statements(
    cell: NotebookNode, # a code cell
) -> list[ast.stmt]:
    "Its statements, [] where a line of it isn't Python"
    try: return ast.parse(cell.source).body
    except SyntaxError: return []

def is_import(
    o: ast.stmt, # a statement
) -> bool:
    "Whether it imports"
    return isinstance(o, (ast.Import, ast.ImportFrom))

def is_private(
    o: ast.stmt, # a statement
) -> bool:
    "Whether it defines private names only; `_` alone isn't one"
    names = [getattr(t, 'id', '') for t in getattr(o, 'targets', [])] or [getattr(o, 'name', '')]
    return all(re.match(r'_\w', n) for n in names)

def read_practice(
    name: str, # of its page
    nb: NotebookNode, # its notebook
) -> Practice:
    "Title and counts of a practice"
    checks = [c for c in nb.cells if c.cell_type=='code' and re.match(r'ex\.\w+\.check\(', c.source)]
    asked = re.findall(r'^\*\*\d+\.\*\* ', words(nb), re.M)
    return Practice(name, heading(nb), len(checks), len(asked))

def read_chapter(
    name: str, # of its page
    nb: NotebookNode, # its notebook
) -> Chapter:
    "What a card, the sidebar and the box at its end show"
    number,title = re.match(r'(\d*) *(.*)', heading(nb)).groups()
    return Chapter(name, number, title, question(nb), minutes(nb), practice_link(nb), modules(nb))

# ---- the order ----

class Course:
    "Chapters in their parts with their practice, the projects, and all other pages"
    def __init__(self,
        nbs: dict[str, NotebookNode], # {name of a page: its notebook}
        texts: dict[str, str]|None = None, # {name of a page without a notebook: its Markdown}
    ):
        numbered = sorted((o for o in nbs if re.match(r'\d+_', o)), key=lambda o: int(o.split('_')[0]))
        first = [BEFORE] if BEFORE in nbs else []
        self.chapters = [read_chapter(o, nbs[o]) for o in first + numbered]
        self.practices = {o: read_practice(o, nbs[o]) for o in nbs if o.startswith('practice/')}
        self.projects = [o for o in nbs if o.startswith('projects/')]
        others = {k: re.search(r'^# (.+)$', v, re.M)[1] for k,v in (texts or {}).items()}
        self.titles = {k: heading(v) for k,v in nbs.items()} | {MAP: 'Course map'} | others
        self.questions = {k: question(v) for k,v in nbs.items()}

    def parts(self) -> dict[str, list[Chapter]]:
        "{title of a part: its chapters}; the page before the first chapter belongs to the first"
        at = lambda o: int(o.number or 0)
        found = {title: [o for o in self.chapters if at(o) in span] for title,span in PARTS.items()}
        return {k:v for k,v in found.items() if v}

    def owner(self,
        practice: str, # name of its page
    ) -> Chapter|None:
        "The chapter that a practice follows: the first that links to it"
        return next((o for o in self.chapters if o.practice==practice), None)

    def order(self) -> list[str]:
        "Names of the pages in the order they are walked: chapter, its practice, next chapter; projects last"
        walk = [o for c in self.chapters for o in (c.name, c.practice if self.owner(c.practice) is c else None)]
        return [o for o in walk if o in self.titles] + self.projects

    def neighbours(self,
        name: str, # of a page
    ) -> tuple[str|None, str|None]:
        "Names of the pages before and after on the path, None where there is none"
        order = self.order()
        if name not in order: return None,None
        at = order.index(name)
        return (order[at-1] if at else None), (order[at+1] if at+1<len(order) else None)

    def apart(self) -> dict[str, list[str]]:
        "{title of a group: names of its pages}, for all that isn't on the path"
        walked = self.order()
        rest = [o for o in self.titles if o not in walked]
        folder = lambda o: o.split('/')[0] if '/' in o else ''
        found = {title: [o for o in rest if folder(o)==k] for k,title in APART.items()}
        return {k:v for k,v in found.items() if v}
