"Sphinx reads the pages that `tools/docs.py` prepares; the page is furo's, the formulas are MathML"
import latex2mathml.converter
from docutils.nodes import SkipNode

project = html_title = 'collab_course'
extensions = ['myst_nb']
templates_path,html_static_path = ['templates'],['static']
html_theme,html_favicon = 'furo','static/favicon.svg'
html_css_files = ['site.css']
html_js_files = [(f'{o}.js', dict(defer='defer')) for o in ('site', 'code', 'questions')]
html_show_sourcelink = html_copy_source = html_show_copyright = False
html_theme_options = dict(navigation_with_keys=False, top_of_page_buttons=[])
pygments_style,pygments_dark_style = 'a11y-high-contrast-light','a11y-high-contrast-dark'
nb_execution_mode,nb_merge_streams = 'off',True
nb_code_prompt_show,nb_code_prompt_hide = 'Show the code','Hide the code'
myst_enable_extensions = ['dollarmath', 'colon_fence', 'tasklist']
# as JupyterLab names them, so that a link holds in both
myst_heading_anchors,myst_heading_slug_func = 4,'reference.slug'
add_module_names,toc_object_entries_show_parents = False,'hide'
html_math_renderer = 'mathml'

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

def setup(app): app.add_html_math_renderer('mathml', (inline, None), (block, None))
