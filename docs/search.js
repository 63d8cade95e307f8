// Order of what a search finds: pages of the path come first, those whose title or question has the words before others,
// and of these the one that comes first on the path. PATH (from search.html): {page: {place, words: title and question}}
const KINDS = {chapter: 100, practice: 60, projects: 50, api: 30, library: 10}

// The words that are looked for
function asked() {
  return new URLSearchParams(location.search).get('q').toLowerCase().split(/[^\p{Letter}\p{Number}_]+/u).filter(o => o)
}

// Points for the kind of a page: most for chapters, least for what stands apart
function kindPoints(page) {
  const folder = page.includes('/') ? page.split('/')[0] : page in PATH ? 'chapter' : 'apart'
  return KINDS[folder] ?? 0
}

// Points for a page whose title or question says what is looked for
function wordPoints(page) {
  const words = asked(), said = PATH[page]?.words.toLowerCase() ?? ''
  return 20*words.filter(o => said.includes(o)).length/words.length
}

// Points for the reference of exactly the name that is looked for
function namePoints(kind, title) {
  const query = new URLSearchParams(location.search).get('q').trim()
  return kind == 'object' && /[_.A-Z]/.test(query) && `.${title}`.endsWith(`.${query}`) ? 200 : 0
}

var Scorer = {
  objNameMatch: 11, objPartialMatch: 6, objPrio: {0: 15, 1: 5, 2: -5}, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
  score([page, title, anchor, about, score, file, kind]) {
    const place = PATH[page]?.place ?? 99
    return score + kindPoints(page) + wordPoints(page) + namePoints(kind, title) - place/1000
  },
}
