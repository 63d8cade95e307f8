"""Write constraints.txt: the versions in this environment, with which the notebooks were run

`python tools/constraints.py` writes it; `--lowest` prints the lowest versions that settings.ini allows."""
import sys
from argparse import ArgumentParser
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from platform import python_version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

root = Path(__file__).resolve().parent.parent
INSTALLERS = {'pip', 'setuptools', 'wheel'}
PARTS = ('requirements', 'course_requirements', 'docs_requirements', 'dev_requirements')
HEAD = """# The versions with which the notebooks were run, on Python {python}.
# The same environment again: PIP_CONSTRAINT=constraints.txt make setup (with uv: UV_CONSTRAINT).
# Written by: python tools/constraints.py
"""

def asked(
    *parts,  # entries of settings.ini
):
    "The requirements of some entries of settings.ini"
    cfg = ConfigParser(delimiters=['='], interpolation=None)
    cfg.read(root/'settings.ini', encoding='utf-8')
    return [Requirement(o) for part in parts for o in cfg['DEFAULT'][part].split()]

def applies(
    req,     # a requirement of a package
    extras,  # the extras with which that package is wanted
):
    "Whether a requirement holds on this machine"
    if req.marker is None: return True
    return any(req.marker.evaluate(dict(extra=o)) for o in ['', *extras])

def installed(
    reqs,  # requirements
):
    "{name: version} of all that is needed for some requirements"
    found = {}
    todo = list(reqs)
    done = set()
    while todo:
        req = todo.pop()
        name = canonicalize_name(req.name)
        if (name, *sorted(req.extras)) in done: continue
        done.add((name, *sorted(req.extras)))
        try: found[name] = version(name)
        except PackageNotFoundError: continue  # wanted by a package, but not on this machine
        todo += [o for o in map(Requirement, requires(name) or []) if applies(o, req.extras)]
    return found

def lowest():
    "A line for each requirement of the library and of the course: its lower bound"
    for req in asked(*PARTS):
        for o in req.specifier:
            if o.operator=='>=': yield f'{req.name}=={o.version}'

def main():
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--lowest', action='store_true', help='print the lowest versions that settings.ini allows')
    if parser.parse_args().lowest: return print('\n'.join(lowest()))
    found = installed(asked(*PARTS))
    # a build for one kind of machine, such as 2.15.0+cpu, isn't a version for others
    lines = [f"{name}=={v.split('+')[0]}" for name,v in sorted(found.items()) if name not in INSTALLERS]
    head = HEAD.format(python=python_version())
    (root/'constraints.txt').write_text(head + '\n'.join(lines) + '\n', encoding='utf-8')

if __name__=='__main__': sys.exit(main())
