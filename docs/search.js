// Order of what a search finds: pages of the path come first, those whose title or question says it before others,
// and of these the one that comes first on the path. PATH (from search.html): {page: {place, words}}
const KINDS = {chapter: 100, practice: 60, projects: 50, api: 30, library: 10}

// A page on disk may not read its neighbours, so the results have no excerpt there
if (location.protocol == 'file:') DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false

const query = () => new URLSearchParams(location.search).get('q').trim()

// Words as Sphinx compares them: "embeddings" and "embedding" are one
function stems(text) {
  const stemmer = new Stemmer(), words = text.toLowerCase().split(/[^\p{Letter}\p{Number}]+/u)
  return new Set(words.filter(o => o && !stopwords.has(o)).map(o => stemmer.stemWord(o)))
}

// Points for the kind of a page: most for chapters, least for what stands apart
function kindPoints(page) {
  const folder = page.includes('/') ? page.split('/')[0] : page in PATH ? 'chapter' : 'apart'
  return KINDS[folder] ?? 0
}

let said // {page: stems of its title and question}, once it is asked for

// The share of what is looked for that a page's title or question says; a word that few pages say counts more
function shareSaid(page) {
  said ??= Object.fromEntries(Object.entries(PATH).map(([k, v]) => [k, stems(v.words)]))
  let all = 0, here = 0
  for (const word of stems(query())) {
    const weight = 1/(1 + Object.values(said).filter(o => o.has(word)).length)
    all += weight
    if (said[page]?.has(word)) here += weight
  }
  return all ? here/all : 0
}

// Is the page's title, without its number, what is looked for?
function isTitle(page, title) {
  const words = stems(title.replace(/^\d+ /, '')), wanted = stems(query())
  return page in PATH && wanted.size == words.size && [...wanted].every(o => words.has(o))
}

// Is it the reference of exactly the name that is looked for?
function isName(kind, title) {
  return kind == 'object' && /[_.A-Z]/.test(query()) && `.${title}`.endsWith(`.${query()}`)
}

var Scorer = {
  objNameMatch: 11, objPartialMatch: 6, objPrio: {0: 15, 1: 5, 2: -5}, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
  score([page, title, anchor, about, points, file, kind]) {
    const share = shareSaid(page), place = PATH[page]?.place ?? 99
    if (isName(kind, title)) return 300
    if (isTitle(page, title)) return 200
    return (share == 1 ? 50 : points + 20*share) + kindPoints(page) - place/1000
  },
}
