"Reads `settings.ini`, and the version from the package; nothing else"
import os, re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

root = Path(__file__).parent
cfg = ConfigParser(delimiters=['='], interpolation=None)
cfg.read(root/'settings.ini', encoding='utf-8')
meta = cfg['DEFAULT']
lib = meta['lib_name']
init = (root/lib/'__init__.py').read_text(encoding='utf-8')
version = re.search(r'^__version__\s*=\s*[\'"]([^\'"]+)', init, re.M)[1]
course,docs,dev = (meta[f'{o}_requirements'].split() for o in ('course', 'docs', 'dev'))
pythons = [f'Programming Language :: Python :: {o}' for o in ('3', '3 :: Only', *meta['pythons'].split())]

def readme():
    "README.md; on GitHub, where its address is known, its links are made whole: PyPI shows the text without the files"
    path,repo = root/'README.md',os.environ.get('GITHUB_REPOSITORY')
    text = path.read_text(encoding='utf-8') if path.exists() else ''
    if not repo: return text
    files,pictures = f'https://github.com/{repo}/blob/v{version}/',f'https://github.com/{repo}/raw/v{version}/'
    text = re.sub(r'(!\[[^]]*\]\()(?!\w+:|#)', rf'\g<1>{pictures}', text)
    return re.sub(r'((?<!!)\[[^]]*\]\()(?!\w+:|#)', rf'\g<1>{files}', text)

setup(
    version=version,
    description=meta['description'],
    long_description=readme(),
    long_description_content_type='text/markdown',
    author=meta['author'],
    license_expression=meta['license'],
    license_files=['LICENSE'],
    keywords=meta['keywords'].split(),
    classifiers=[*meta['classifiers'].strip().split('\n'), *pythons],
    packages=find_packages(include=[lib, f'{lib}.*']),
    # types are for all to see; the style of all figures; tasks, hints and questions of the exercises. Those come along
    # with their answers, for notebooks on Colab: nothing but `collab_course.course` imports them
    package_data={lib: ['py.typed'], f'{lib}.course': ['*.mplstyle'], f'{lib}.course.practice': ['*.md']},
    install_requires=meta['requirements'].split(),
    extras_require={'course': course, 'docs': docs, 'dev': course + docs + dev},
    entry_points={'nbdev': [f'{lib}={lib}._modidx:d'], 'console_scripts': meta['console_scripts'].split()},
)
