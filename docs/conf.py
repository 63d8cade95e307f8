"Sphinx reads the pages that `tools/docs.py` prepares; the page is furo's, the formulas are MathML"
import json, sys
from functools import cache
from pathlib import Path

import latex2mathml.converter
from docutils.nodes import SkipNode
from sphinx.search.en import SearchEnglish

sys.modules.setdefault('rfc3987_syntax', None)  # a grammar of addresses, as in tools/execute.py

NAME = 'Collab course'
project = html_title = NAME
extensions = ['myst_nb']
templates_path,html_static_path = ['templates'],['static']
html_theme,html_favicon = 'furo','static/favicon.svg'
html_css_files = ['site.css', 'path.css']
html_js_files = [(f'{o}.js', dict(defer='defer')) for o in ('site', 'keys', 'code', 'questions', 'path')]
html_show_sourcelink = html_copy_source = html_show_copyright = False
html_use_index = html_domain_indices = False  # the reference has its own pages, and search finds names
html_search_scorer = str(Path(__file__).with_name('search.js'))
html_theme_options = dict(navigation_with_keys=False, top_of_page_buttons=[])
pygments_style,pygments_dark_style = 'a11y-high-contrast-light','a11y-high-contrast-dark'
nb_execution_mode,nb_merge_streams = 'off',True
nb_code_prompt_show,nb_code_prompt_hide = 'Show the code','Hide the code'
myst_enable_extensions = ['dollarmath', 'colon_fence', 'tasklist']
# as JupyterLab names them, so that a link holds in both
myst_heading_anchors,myst_heading_slug_func = 4,'reference.slug'
add_module_names,toc_object_entries_show_parents = False,'hide'
html_math_renderer = 'mathml'
suppress_warnings = ['toc.not_included']  # the sidebar is a template of ours

# ---- formulas ----

def mathml(self, node, display):
    "Writes a formula that browsers draw themselves"
    self.body.append(latex2mathml.converter.convert(node.astext(), display=display))

def inline(self, node):
    mathml(self, node, 'inline')
    raise SkipNode

def block(self, node):
    self.body.append('<div class="math">')
    mathml(self, node, 'block')
    self.body.append('</div>')
    raise SkipNode

# ---- the path, as `tools/docs.py` found it ----

def load(app): app.site = json.loads((Path(app.srcdir)/'site.json').read_text(encoding='utf-8'))

def neighbour(site, context, name):
    "What furo's buttons show of a page"
    return name and dict(link=context['pathto'](name), title=site['titles'][name])

def address(site):
    "Where the published website lives, as far as one knows"
    if not site['repo']: return ''
    owner,name = site['repo'].split('/')
    return f'https://{owner}.github.io/{name}/'

def add_site(app, pagename, templatename, context, doctree):
    "Gives the templates what they show; the front page has a template of its own"
    site = app.site
    before,after = site['neighbours'].get(pagename, (None, None))
    description = site['questions'].get(pagename) or site['settings'].get('description', '')
    context.update(site=site, address=address(site), description=description)
    context.update(prev=neighbour(site, context, before), next=neighbour(site, context, after))
    if pagename!=app.config.root_doc: return None
    context['css_files'] = [o for o in context['css_files'] if 'furo.css' in str(o.filename)]
    keep = 'furo.js', 'keys.js'
    context['script_files'] = [o for o in context['script_files'] if any(k in str(o.filename) for k in keep)]
    return 'front.html'

class English(SearchEnglish):
    "Each word is stemmed once: the same ones come again and again, which took a tenth of the time"
    def __init__(self, options):
        super().__init__(options)
        self.stem = cache(self.stem)

def setup(app):
    app.add_search_language(English)
    app.add_html_math_renderer('mathml', (inline, None), (block, None))
    app.connect('builder-inited', load)
    app.connect('html-page-context', add_site)
