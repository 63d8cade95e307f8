"Reads `settings.ini`, and the version from the package; nothing else"
import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

root = Path(__file__).parent
cfg = ConfigParser(delimiters=['='], interpolation=None)
cfg.read(root/'settings.ini', encoding='utf-8')
meta = cfg['DEFAULT']
init = (root/meta['lib_name']/'__init__.py').read_text(encoding='utf-8')
course, dev = meta['course_requirements'].split(), meta['dev_requirements'].split()
statuses = dict(enumerate('Planning Pre-Alpha Alpha Beta Production/Stable Mature Inactive'.split(), 1))

setup(
    version=re.search(r'^__version__\s*=\s*[\'"]([^\'"]+)', init, re.M).group(1),
    description=meta['description'],
    long_description=(root/'README.md').read_text(encoding='utf-8') if (root/'README.md').exists() else '',
    long_description_content_type='text/markdown',
    author=meta['author'],
    license=meta['license'],
    keywords=meta['keywords'].split(),
    classifiers=[f"Development Status :: {meta['status']} - {statuses[int(meta['status'])]}",
                 f"Intended Audience :: {meta['audience']}", 'Programming Language :: Python :: 3'],
    packages=find_packages(include=[meta['lib_name'], f"{meta['lib_name']}.*"]),
    # types are for all to see; the style of all figures; tasks, hints and questions of the exercises
    package_data={meta['lib_name']: ['py.typed'], f"{meta['lib_name']}.course": ['*.mplstyle'],
                  f"{meta['lib_name']}.course.practice": ['*.md']},
    install_requires=meta['requirements'].split(),
    extras_require={'course': course, 'dev': course + dev},
    entry_points={'nbdev': [f"{meta['lib_name']}={meta['lib_name']}._modidx:d"],
                  'console_scripts': meta['console_scripts'].split()},
)
