// Questions with choices: folded answers become a form; choose, check, read why. What you tried stays in this browser
(() => {
  const all = (sel, from=document) => [...from.querySelectorAll(sel)]
  const KEY = `questions ${location.pathname}`

  function element(tag, attributes={}, ...children) {
    const res = document.createElement(tag)
    for (const [k, v] of Object.entries(attributes)) res.setAttribute(k, v)
    res.append(...children)
    return res
  }

  // ---- what the page asks ----

  // The paragraph with the question's number, before its first choice
  function questionBefore(fold) {
    let o = fold.previousElementSibling
    while (o && !/^\d+\.$/.test(o.querySelector('strong')?.textContent)) o = o.previousElementSibling
    return o
  }

  // Neighbouring folds whose summaries begin with a), b), … belong to one question
  function findQuestions() {
    const res = []
    for (const fold of all('article details')) {
      const letter = fold.querySelector('summary')?.textContent.match(/^([a-z])\) /)?.[1]
      if (letter == 'a') res.push({text: questionBefore(fold), choices: []})
      if (letter) res.at(-1).choices.push({letter, fold, right: fold.querySelector('p > strong')?.textContent == 'Right.'})
    }
    return res.filter(q => q.text)
  }

  const answer = q => q.choices.filter(c => c.right).map(c => c.letter).join('')

  // ---- what the browser keeps: for each question's text the tries, such as ['b', 'ac'] ----

  function load() {
    try { return JSON.parse(localStorage.getItem(KEY)) ?? {} }
    catch { return {} }
  }

  function save(tries) {
    try { localStorage.setItem(KEY, JSON.stringify(tries)) }
    catch { /* a browser that keeps nothing still marks */ }
  }

  let tries = load()
  const triesOf = q => tries[q.text.textContent] ?? []
  const solved = q => triesOf(q).includes(answer(q))

  // ---- forms ----

  // A choice as a radio button, or a box to tick where several are right
  function choiceRow(q, c) {
    const type = answer(q).length > 1 ? 'checkbox' : 'radio'
    const words = element('span')
    words.innerHTML = c.fold.querySelector('summary').innerHTML
    c.input = element('input', {type, name: 'choice', value: c.letter})
    c.sign = element('span', {class: 'sign', 'aria-hidden': 'true'})
    c.row = element('label', {class: 'choice'}, c.input, words, c.sign)
    return c.row
  }

  // Why a choice is right or wrong, with its text where several are explained
  function why(c, named) {
    const box = element('div', {class: `why ${c.right ? 'right' : 'wrong'}`})
    box.innerHTML = c.fold.innerHTML
    const summary = box.querySelector('summary')
    if (named) summary.replaceWith(element('div', {class: 'choice-text'}, ...summary.childNodes))
    else summary.remove()
    box.querySelector('strong').prepend(c.right ? '✓ ' : '✗ ')
    return box
  }

  function otherChoices(others) {
    const fold = element('details', {}, element('summary', {}, 'The other choices'))
    fold.append(...others.map(c => why(c, true)))
    return fold
  }

  // Signs at the chosen choices, reasons below; the others' reasons unfold once the question is solved
  function mark(q, chosen) {
    const picked = q.choices.filter(c => chosen.includes(c.letter))
    const others = q.choices.filter(c => !chosen.includes(c.letter))
    for (const c of q.choices) {
      const seen = picked.includes(c)
      c.input.checked = seen
      c.sign.textContent = !seen ? '' : c.right ? '✓' : '✗'
      c.row.classList.toggle('right', seen && c.right)
      c.row.classList.toggle('wrong', seen && !c.right)
    }
    q.reasons.replaceChildren(...picked.map(c => why(c, picked.length > 1)))
    const missing = picked.every(c => c.right) && chosen && chosen != answer(q)
    if (missing) q.reasons.append(element('p', {}, 'More of them are right: tick those too.'))
    q.more.replaceChildren(...(chosen == answer(q) ? [otherChoices(others)] : []))
  }

  function check(q) {
    const chosen = q.choices.filter(c => c.input.checked).map(c => c.letter).join('')
    if (!chosen) return q.reasons.replaceChildren('Choose first, then check.')
    if (!solved(q)) tries[q.text.textContent] = [...triesOf(q), chosen]
    save(tries)
    mark(q, chosen)
    showScore()
  }

  function makeForm(q, i) {
    q.text.id ||= `question-${i + 1}`
    q.reasons = element('div', {role: 'status'})
    q.more = element('div')
    const rows = q.choices.map(c => choiceRow(q, c))
    const form = element('form', {class: 'question'},
      element('fieldset', {'aria-labelledby': q.text.id}, ...rows), element('button', {}, 'Check'), q.reasons, q.more)
    form.addEventListener('submit', e => {
      e.preventDefault()
      check(q)
    })
    q.choices[0].fold.before(form)
    q.choices.forEach(c => c.fold.classList.add('now-a-form'))
    mark(q, triesOf(q).at(-1) ?? '')
  }

  // ---- score ----

  const questions = findQuestions()
  const score = element('span')

  function showScore() {
    const right = questions.filter(solved).length
    const first = questions.filter(q => triesOf(q)[0] == answer(q)).length
    score.innerHTML = `<strong>${right} of ${questions.length}</strong> right` + (right ? `, ${first} at the first try` : '')
  }

  function startOver() {
    tries = {}
    save(tries)
    questions.forEach(q => mark(q, ''))
    showScore()
  }

  // The bar with the score stands where the page said how to unfold the answers
  function makeBar() {
    const again = element('button', {type: 'button'}, 'Start over')
    again.addEventListener('click', startOver)
    const how = element('p', {class: 'how'}, 'Choose, check, and read why. Your answers stay in this browser.')
    questions[0].text.before(how, element('div', {class: 'score'}, score, again))
    const unfold = how.previousElementSibling
    if (unfold?.matches('p')) unfold.classList.add('now-a-form')
  }

  if (!questions.length) return
  questions.forEach(makeForm)
  makeBar()
  showScore()
})()
